"""The examples in the documents are what Home Assistant takes, for entities that exist."""

from collections.abc import Iterator, Mapping
from pathlib import Path
import re
from typing import Any

from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.pcp.const import DOMAIN
from tests.demo import dashboard

from .house import House

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES: dict[str, dict[str, Any]] = {
    f"{page.stem}-{number}": parse_yaml(block)  # type: ignore[misc]
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text()))
}
# What the frontend has; the backend does not look at cards.
CARDS = {"grid", "heading", "history-graph", "logbook", "sections", "tile", "toggle"}


def found(tree: Any, key: str) -> Iterator[Any]:
    """Return what stands under a key, wherever it is."""
    match tree:
        case Mapping():
            for name, value in tree.items():
                if name == key:
                    yield value
                yield from found(value, key)
        case list():
            for value in tree:
                yield from found(value, key)


def entity_ids(tree: Any) -> set[str]:
    """Return the entities of an example; what a template says is not looked at."""
    ids: set[str] = set()
    for key in ("entity", "entity_id", "entities"):
        for value in found(tree, key):
            values = value if isinstance(value, list) else [value]
            ids |= {it for it in values if isinstance(it, str) and "{{" not in it}
    return ids


@pytest.fixture
async def home(house: House) -> House:
    """A router without another name, and a forward called Minecraft."""
    await house.set_up()
    await house.add("Minecraft", 25565)
    return house


@pytest.mark.parametrize("name", EXAMPLES)
async def test_examples(hass: HomeAssistant, home: House, name: str) -> None:
    """Actions have the fields of our schemas, automations are whole, entities exist."""
    example = EXAMPLES[name]
    for action in (example, *found(example, "actions")):
        for step in action if isinstance(action, list) else [action]:
            if str(step.get("action", "")).startswith(f"{DOMAIN}."):
                cv.SCRIPT_SCHEMA([step])
                schema = hass.services.async_services_for_domain(DOMAIN)[
                    step["action"].removeprefix(f"{DOMAIN}.")
                ].schema
                assert schema is not None
                schema(step.get("data", {}) | step.get("target", {}))
    if "actions" in example:
        assert await async_setup_component(hass, "automation", {})
        config = {"alias": "Example", "triggers": []} | example
        checked = await async_validate_config_item(hass, "example", config)
        assert checked is not None
        assert checked.validation_error is None
    if example.get("type") == "sections":
        assert set(found(example, "type")) <= CARDS
    if "forward_id" not in example:
        there = {state.entity_id for state in hass.states.async_all()}
        assert entity_ids(example) <= there


def test_the_dashboard_is_that_of_the_pictures(
    hass: HomeAssistant, home: House
) -> None:
    """The demo's, with one forward and the history of two days."""
    [shown] = [it for it in EXAMPLES.values() if it.get("type") == "sections"]
    [forward_id] = home.ids()
    example = dashboard.Example(
        forward_id=forward_id,
        heading="Minecraft",
        icon="mdi:minecraft",
        port="TCP 25565",
    )
    entities = er.async_entries_for_config_entry(
        er.async_get(hass), home.entry.entry_id
    )
    entity_ids = {entity.unique_id: entity.entity_id for entity in entities}
    built = dashboard.build(
        home.entry.entry_id,
        [example],
        lambda owner, key: entity_ids[f"{owner}_{key}"],
        hint="",
        hours=48,
    )
    assert built["views"] == [shown]


def test_every_action_has_an_example() -> None:
    """And so has each field of a forward."""
    steps = [example for example in EXAMPLES.values() if "action" in example]
    assert {step["action"] for step in steps} == {
        f"{DOMAIN}.{name}"
        for name in ("add_forward", "list_forwards", "open_forward", "remove_forward")
    }
    shown = {field for step in steps for field in step.get("data", {})}
    fields = set(
        parse_yaml((ROOT / f"custom_components/{DOMAIN}/services.yaml").read_text())
    )
    assert fields == {"add_forward", "list_forwards", "open_forward", "remove_forward"}
    assert shown >= {
        "name",
        "protocol",
        "internal_port",
        "external_port",
        "exact_external_port",
        "target_host",
        "ip_version",
        "port_count",
        "allowed_sources",
        "duration",
    }


@pytest.mark.parametrize(
    ("status", "message"),
    [("refused", "Minecraft: Refused"), ("unreachable", "Minecraft: Router silent")],
)
async def test_a_status_is_told_as_it_is_shown(
    hass: HomeAssistant, home: House, status: str, message: str
) -> None:
    """A message is for people."""
    messages = [
        text
        for example in EXAMPLES.values()
        for text in found(example, "message")
        if "sensor.minecraft_status" in text
    ]
    hass.states.async_set("sensor.minecraft_status", status)
    assert [Template(text, hass).async_render() for text in messages] == [message]


async def test_an_answer_is_what_the_reference_shows(home: House) -> None:
    """The same fields, in the same order."""
    [shown] = [it for it in EXAMPLES.values() if "forward_id" in it]
    response = await home.call(DOMAIN, "list_forwards")
    [forward] = response["forwards"]
    assert list(forward) == list(shown)
    assert list(forward["mappings"][0]) == list(shown["mappings"][0])
