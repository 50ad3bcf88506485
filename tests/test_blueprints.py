"""The blueprints are imported as Home Assistant does it, and do what they say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from .glue import entity_id
from .house import House
from .test_coordinator import occupy

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

FOLDER = Path(__file__).parent.parent / "blueprints" / "automation" / "pcp"
REPOSITORY = "github.com/ha-pcp/pcp"
RAW = "https://raw.githubusercontent.com/ha-pcp/pcp/main/blueprints/automation/pcp"


@pytest.fixture
async def home(
    house: House,
    hass: HomeAssistant,
    tmp_path: Path,
    aioclient_mock: AiohttpClientMocker,
) -> AsyncIterator[House]:
    """A house whose folder of blueprints is empty."""
    hass.config.config_dir = str(tmp_path)
    await hass.config.async_set_time_zone("UTC")
    for path in FOLDER.glob("*.yaml"):
        aioclient_mock.get(  # type: ignore[no-untyped-call]
            f"{RAW}/{path.name}", text=path.read_text()
        )
    yield house
    await house.call(AUTOMATION, "turn_off", entity_id="all")


async def use(home: House, name: str, **inputs: Any) -> None:
    """Import a blueprint by its address, and make an automation of it."""
    url = f"https://{REPOSITORY}/blob/main/blueprints/automation/pcp/{name}.yaml"
    hass = home.hass
    imported = await fetch_blueprint_from_url(hass, url)
    assert imported.blueprint.metadata["source_url"] == url
    assert not imported.blueprint.validate()
    path = Path(f"{imported.suggested_filename}.yaml")
    file = Path(hass.config.path("blueprints", AUTOMATION)) / path
    file.parent.mkdir(parents=True)
    file.write_text(imported.blueprint.yaml())
    config = {
        "id": name,
        "alias": name,
        "use_blueprint": {"path": str(path), "input": inputs},
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: [config]})
    await home.settle()
    assert hass.states.is_state(f"automation.{name}", "on")


@asynccontextmanager
async def starting(home: House) -> AsyncIterator[None]:
    """Let Home Assistant be on its way up, and then be there."""
    home.hass.set_state(CoreState.starting)
    yield
    home.hass.set_state(CoreState.running)
    home.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await home.settle()


async def add(home: House) -> tuple[str, str]:
    """Add a forward that is off; return its id and its switch."""
    await home.set_up()
    forward_id = await home.add("Web", 80)
    await home.turn_off(forward_id)
    return forward_id, home.switch(forward_id)


def test_there_is_nothing_else() -> None:
    """Each blueprint has a test here."""
    assert {path.stem for path in FOLDER.iterdir()} == {
        "external_address_changed",
        "open_by_presence",
        "open_for_a_while",
        "open_on_schedule",
        "renew_certificate",
    }


async def test_open_on_schedule(home: House) -> None:
    """Open while the schedule is on."""
    forward_id, switch = await add(home)
    home.hass.states.async_set("schedule.nights", "off")
    await use(home, "open_on_schedule", forwards=[switch], schedule="schedule.nights")
    home.hass.states.async_set("schedule.nights", "on")
    await home.settle()
    assert home.status(forward_id) == "open"
    home.hass.states.async_set("schedule.nights", "unavailable")
    await home.settle()
    assert home.status(forward_id) == "open"
    home.hass.states.async_set("schedule.nights", "off")
    await home.settle()
    assert home.status(forward_id) == "closed"


@pytest.mark.parametrize("open_while", ["nobody", "somebody"])
async def test_open_by_presence(home: House, open_while: str) -> None:
    """Open by who is home, once it has been so for two minutes."""
    forward_id, switch = await add(home)
    inputs = {"forwards": [switch], "open_while": open_while}
    home.hass.states.async_set("zone.home", "1")
    await use(home, "open_by_presence", **inputs)
    for people in (0, 2, 0):
        before = home.status(forward_id)
        home.hass.states.async_set("zone.home", str(people))
        await home.wait(110)
        assert home.status(forward_id) == before
        await home.wait(20)
        is_open = (people > 0) == (open_while == "somebody")
        assert home.status(forward_id) == ("open" if is_open else "closed")


@pytest.mark.parametrize("people", ["0", "1", "unavailable"])
async def test_presence_after_a_start(home: House, people: str) -> None:
    """What was missed is done after the wait: who is there is not known at once."""
    forward_id, switch = await add(home)
    home.hass.states.async_set("zone.home", "0")
    async with starting(home):
        await use(home, "open_by_presence", forwards=[switch], open_while="nobody")
    await home.wait(110)
    assert home.status(forward_id) == "closed"
    # Those who are at home are seen only now.
    home.hass.states.async_set("zone.home", people)
    await home.wait(300)
    assert home.status(forward_id) == ("open" if people == "0" else "closed")


@pytest.mark.parametrize(("state", "is_open"), [("on", True), ("off", False)])
async def test_schedule_after_a_start(
    home: House, hass: HomeAssistant, state: str, is_open: bool
) -> None:
    """What was missed while Home Assistant was away is done when it starts."""
    forward_id, switch = await add(home)
    if not is_open:
        await home.turn_on(forward_id)
    hass.states.async_set("schedule.nights", state)
    inputs = {"forwards": [switch], "schedule": "schedule.nights"}
    async with starting(home):
        await use(home, "open_on_schedule", **inputs)
        assert home.is_on(forward_id) is not is_open
    await home.settle()
    assert home.status(forward_id) == ("open" if is_open else "closed")


async def test_a_schedule_that_the_router_refuses(home: House) -> None:
    """One that is refused does not keep the others closed."""
    forward_id, switch = await add(home)
    refused = home.switch(await home.add("Low", 81, exact_external_port=True))
    await home.call("switch", "turn_off", entity_id=refused)
    occupy(home, 81)
    home.hass.states.async_set("schedule.nights", "off")
    await use(
        home,
        "open_on_schedule",
        forwards=[refused, switch],
        schedule="schedule.nights",
    )
    home.hass.states.async_set("schedule.nights", "on")
    await home.wait(30)
    assert home.status(forward_id) == "open"
    assert home.hass.states.is_state(refused, "off")


async def test_a_button_that_appears_was_not_pressed(home: House) -> None:
    """Home Assistant brings back when it was pressed the last time."""
    forward_id, switch = await add(home)
    button = "input_button.guests"
    await use(home, "open_for_a_while", forwards=[switch], button=button)
    for state in ("2026-11-21T12:00:00+00:00", "unavailable", "unknown"):
        home.hass.states.async_set(button, state)
        await home.settle()
        assert home.status(forward_id) == "closed"
    home.hass.states.async_remove(button)
    home.hass.states.async_set(button, "2026-11-21T12:00:00+00:00")
    await home.settle()
    assert home.status(forward_id) == "closed"
    home.hass.states.async_set(button, "2026-11-22T12:00:00+00:00")
    await home.settle()
    assert home.status(forward_id) == "open"


async def test_a_push_button_tells_by_an_event(home: House) -> None:
    """Also one that was never pressed before."""
    forward_id, switch = await add(home)
    button = "event.remote"
    home.hass.states.async_set(button, "unknown", {"device_class": "button"})
    await use(home, "open_for_a_while", forwards=[switch], button=button)
    assert home.status(forward_id) == "closed"
    home.hass.states.async_set(
        button, "2026-11-22T12:00:00.250+00:00", {"event_type": "press_end"}
    )
    await home.settle()
    assert home.status(forward_id) == "open"


@pytest.mark.parametrize(
    ("domain", "device_class", "is_offered"),
    [
        ("input_button", None, True),
        ("button", None, True),
        ("button", "restart", True),
        ("event", "button", True),
        # Such as the events of the router itself.
        ("event", None, False),
        ("event", "motion", False),
        ("event", "doorbell", False),
    ],
)
def test_what_is_offered_as_a_button(
    domain: str, device_class: str | None, is_offered: bool
) -> None:
    """Nothing that happens without somebody of the house."""
    blueprint = parse_yaml((FOLDER / "open_for_a_while.yaml").read_text())
    assert isinstance(blueprint, dict)
    field = blueprint["blueprint"]["input"]["button"]
    offered = any(
        domain in entity["domain"]
        and device_class in entity.get("device_class", [device_class])
        for entity in selector(field["selector"]).config["filter"]
    )
    assert offered is is_offered


async def test_a_button_while_the_router_is_silent(home: House) -> None:
    """The time runs from the press on; what opens late closes in time."""
    forward_id, switch = await add(home)
    button = "input_button.guests"
    home.hass.states.async_set(button, "unknown")
    await use(
        home,
        "open_for_a_while",
        forwards=[switch],
        button=button,
        duration={"hours": 1},
    )
    home.router.silence()
    home.hass.states.async_set(button, "2026-11-22T12:00:00+00:00")
    await home.wait(1800)
    assert home.status(forward_id) == "unreachable"
    home.router.unsilence()
    await home.until(lambda: home.status(forward_id) == "open", within=600)
    await home.wait(1800)
    assert home.status(forward_id) == "closed"
    assert not home.is_on(forward_id)


async def test_open_for_a_while(home: House) -> None:
    """Open for the time that is said, and anew when it is pressed again."""
    forward_id, switch = await add(home)
    button = "input_button.guests"
    home.hass.states.async_set(button, "unknown")
    await use(
        home,
        "open_for_a_while",
        forwards=[switch],
        button=button,
        duration={"days": 0, "hours": 1},
    )
    home.hass.states.async_set(button, "2026-11-22T12:00:00+00:00")
    await home.settle()
    assert home.status(forward_id) == "open"
    assert home.view(forward_id).closes_at == home.wall(3600)
    await home.wait(3000)
    home.hass.states.async_set(button, "2026-11-22T12:50:00+00:00")
    await home.wait(3000)
    assert home.status(forward_id) == "open"
    await home.wait(700)
    assert home.status(forward_id) == "closed"


async def test_external_address_changed(home: House, hass: HomeAssistant) -> None:
    """Told with both addresses, and only when it is this that happened."""
    forward_id, _ = await add(home)
    await home.turn_on(forward_id)
    events = async_capture_events(hass, "told")
    data = {"was": "{{ old_address }}", "now": "{{ new_address }}"}
    await use(
        home,
        "external_address_changed",
        router=entity_id(home.hass, "event", home.entry.entry_id, "router"),
        actions=[{"event": "told", "event_data": data}],
    )
    home.router.reboot()
    await home.wait(60)
    assert events == []
    home.router.change_external_address("203.0.113.77")
    await home.wait(60)
    assert [event.data for event in events] == [
        {"was": "203.0.113.5", "now": "203.0.113.77"}
    ]


async def test_external_address_changed_by_default(home: House) -> None:
    """Without actions of the user's own, a notification is made."""
    forward_id, _ = await add(home)
    await home.turn_on(forward_id)
    calls = []
    home.hass.services.async_register(
        "persistent_notification", "create", lambda call: calls.append(call.data)
    )
    await use(
        home,
        "external_address_changed",
        router=entity_id(home.hass, "event", home.entry.entry_id, "router"),
    )
    home.router.change_external_address("203.0.113.77")
    await home.wait(60)
    assert [call["message"] for call in calls] == [
        "It was 203.0.113.5, and is 203.0.113.77 now."
    ]


@pytest.mark.parametrize("is_silent", [False, True])
async def test_renew_certificate(
    home: House, hass: HomeAssistant, is_silent: bool
) -> None:
    """Open only while the actions run, which do not run behind a closed door."""
    forward_id, switch = await add(home)
    events = async_capture_events(hass, "renewing")
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        renewal=[{"event": "renewing"}, {"delay": {"minutes": 1}}],
    )
    if is_silent:
        home.router.silence()
    await home.wait(timedelta(minutes=10, seconds=10).total_seconds())
    assert len(events) == (0 if is_silent else 1)
    if not is_silent:
        assert home.status(forward_id) == "open"
    await home.wait(60)
    assert not home.is_on(forward_id)
    if not is_silent:
        assert home.status(forward_id) == "closed"


async def test_a_renewal_through_a_door_that_is_open(
    home: House, hass: HomeAssistant
) -> None:
    """What the user has open stays open, without an end."""
    forward_id, switch = await add(home)
    await home.turn_on(forward_id)
    events = async_capture_events(hass, "renewing")
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        renewal=[{"event": "renewing"}],
    )
    await home.wait(3600)
    assert len(events) == 1
    assert home.status(forward_id) == "open"
    assert home.view(forward_id).closes_at is None


@pytest.mark.parametrize("is_due", [False, True])
async def test_a_renewal_that_is_not_due(
    home: House, hass: HomeAssistant, is_due: bool
) -> None:
    """Nothing is opened on other days."""
    forward_id, switch = await add(home)
    events = async_capture_events(hass, "renewing")
    hass.states.async_set("sensor.certificate_ends_in", "10" if is_due else "50")
    count = home.count()
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        due=[
            {
                "condition": "numeric_state",
                "entity_id": "sensor.certificate_ends_in",
                "below": 30,
            }
        ],
        renewal=[{"event": "renewing"}],
    )
    await home.wait(700)
    assert len(events) == is_due
    assert bool(home.maps(count)) is is_due
    assert home.status(forward_id) == "closed"


async def test_a_renewal_that_fails(home: House, hass: HomeAssistant) -> None:
    """The actions stop, and the door closes after the longest time."""
    forward_id, switch = await add(home)
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        renewal=[{"stop": "No certificate", "error": True}],
    )
    await home.wait(700)
    assert home.status(forward_id) == "open"
    await home.wait(300)
    assert home.status(forward_id) == "closed"


async def test_a_renewal_that_the_router_refuses(
    home: House, hass: HomeAssistant
) -> None:
    """It does not run behind a closed door, and nothing is left to be opened."""
    forward_id, switch = await add(home)
    events = async_capture_events(hass, "renewing")
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        renewal=[{"event": "renewing"}],
    )
    home.router.set_personality("refuses_all")
    await home.wait(700)
    assert events == []
    assert not home.is_on(forward_id)


async def test_a_renewal_that_hangs(home: House) -> None:
    """The door closes after the longest time."""
    forward_id, switch = await add(home)
    await use(
        home,
        "renew_certificate",
        forward=switch,
        time="12:20:00",
        renewal=[{"wait_template": "{{ false }}"}],
    )
    await home.wait(700)
    assert home.status(forward_id) == "open"
    await home.wait(300)
    assert home.status(forward_id) == "closed"
