"""Bad input through the API of a running Home Assistant: every field, every action.

What a person can type is refused by a translated error at the field or its section.
What no form gives may be refused by Home Assistant's own check of types. In any case
nothing is created, nothing is opened, and there is no stack trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
import json
from typing import Any

import pytest

from tests.demo import Demo
from tests.real_ha import ApiError
from tests.real_ha.client import FlowKind, Json
from tests.real_ha.log import faults
from tests.real_ha.process import INTEGRATION, free_port

from . import second_router as routers
from .bad_values import NOT_JSON, NUMBERS, OTHERS, TEXTS
from .second_router import SecondRouter

ENGLISH: Json = json.loads((INTEGRATION / "translations" / "en.json").read_text())
SECTION = "advanced"
# Where an error may not say again what it was given.
LONGEST_MESSAGE = 1000

ALL: dict[str, Any] = TEXTS | NUMBERS | OTHERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field, and what of the values is no bad input there."""

    name: str
    typed: dict[str, Any] = field(default_factory=dict)
    """What a person can enter. All else only a script can send."""
    fine: frozenset[str] = frozenset()
    section: bool = False
    is_list: bool = False

    def bad_values(self) -> Iterator[tuple[str, Any]]:
        """Yield every bad value by its name."""
        for name, value in ALL.items():
            if name not in self.fine:
                yield name, [value] if self.is_list and name in self.typed else value


def fine(*names: str) -> frozenset[str]:
    """Return the names of what is no bad input."""
    return frozenset(names)


ODD_NAMES = fine(
    *("html", "image", "template", "placeholder", "markdown", "arabic", "emoji", "sql"),
    *("path", "url", "minus", "fraction", "nan", "format", "zero width inside"),
)
# Not among them are the fields for yes and no: Home Assistant makes one or the other of
# whatever is sent. Likewise its field for a number makes 1 of true.
HOST = Field(
    name="host",
    typed=TEXTS,
    # A name that the machine's resolver would be asked for.
    fine=fine("nan"),
)
FORWARD = (
    Field(name="name", typed=TEXTS, fine=ODD_NAMES),
    Field(name="protocol"),
    Field(name="internal_port", typed=NUMBERS, fine=fine("true")),
    Field(name="external_port", typed=NUMBERS, fine=fine("true"), section=True),
    Field(name="target_host", typed=TEXTS, fine=fine("empty"), section=True),
    Field(name="ip_version", section=True),
    Field(name="port_count", typed=NUMBERS, fine=fine("true"), section=True),
    Field(
        name="allowed_sources",
        typed=TEXTS,
        fine=fine("empty", "spaces", "list"),
        section=True,
        is_list=True,
    ),
    Field(name=SECTION, fine=fine("dictionary")),
)
SERVICE = Field(name="service")
LEASE_TIME = Field(name="lease_time", typed=NUMBERS, fine=fine("above all ports"))


@dataclass(kw_only=True)
class Form:
    """One form of the running Home Assistant, to be filled in again and again."""

    demo: Demo
    router: SecondRouter
    step: str
    port: int
    entry_id: str
    forward_id: str
    flow_id: str = ""

    @property
    def kind(self) -> FlowKind:
        """The kind of its flow."""
        match self.step:
            case "user" | "reconfigure":
                return FlowKind.CONFIG
            case "options":
                return FlowKind.OPTIONS
            case _:
                return FlowKind.SUBENTRY

    @property
    def errors(self) -> Json:
        """The errors that it has words for."""
        part = ENGLISH[
            {
                FlowKind.CONFIG: "config",
                FlowKind.OPTIONS: "options",
                FlowKind.SUBENTRY: "config_subentries",
            }[self.kind]
        ]
        if self.kind is FlowKind.SUBENTRY:
            part = part["forward"]
        errors: Json = part["error"]
        return errors

    def good(self) -> Json:
        """Return what would be accepted."""
        match self.step:
            case "user" | "reconfigure":
                return {"host": self.router.address}
            case "options":
                return {"lease_time": 3600, "third_party": False, "anycast": False}
            case _:
                forward = {"name": "Bad", "protocol": "tcp", "internal_port": self.port}
                return forward | {SECTION: {}}

    def submit(self, data: Json) -> dict[str, str]:
        """Submit it; return the errors of the form, or what is wrong instead."""
        api = self.demo.api
        if not self.flow_id:
            self.flow_id = self._begin()["flow_id"]
        try:
            result = api.configure(self.kind, self.flow_id, data)
        except ApiError as error:
            return {"" if error.code == "400" else error.code: str(error)}
        if result["type"] == "form":
            errors: dict[str, str] = result["errors"] or {}
            return errors
        self.flow_id = ""
        return {"accepted": result["type"]}

    def _begin(self) -> Json:
        api = self.demo.api
        match self.step:
            case "user":
                return api.start_flow("pcp")
            case "reconfigure":
                return api.start_flow("pcp", entry_id=self.entry_id)
            case "options":
                return api.start_options_flow(self.entry_id)
            case "forward":
                return api.start_subentry_flow(self.entry_id, "forward")
            case _:
                return api.start_subentry_flow(
                    self.entry_id, "forward", subentry_id=self.forward_id
                )

    def end(self) -> None:
        """Close the flow."""
        if self.flow_id:
            self.demo.api.abort_flow(self.kind, self.flow_id)


@pytest.fixture(scope="module")
def router(demo: Demo) -> Iterator[SecondRouter]:
    """A router of its own."""
    with routers.run(demo) as router:
        yield router


@pytest.fixture(scope="module")
def victim(demo: Demo, router: SecondRouter) -> Json:
    """A forward that is to stay as it is."""
    forward: Json = demo.api.call_service(
        "pcp",
        "add_forward",
        {
            "config_entry_id": router.add()["entry_id"],
            "name": "Victim",
            "internal_port": free_port(),
        },
        return_response=True,
    )
    return forward


@pytest.fixture
def _nothing_happens(demo: Demo, router: SecondRouter, victim: Json) -> Iterator[None]:
    """Whatever is put in: nothing created, opened or changed, and no stack trace."""

    def everything() -> Any:
        entries = demo.api.entries("pcp")
        for entry in entries:
            entry.pop("modified_at")
        forwards = demo.api.call_service("pcp", "list_forwards", return_response=True)
        definitions = [demo.api.subentries(entry["entry_id"]) for entry in entries]
        wanted = [(it["name"], it["wanted"]) for it in forwards["forwards"]]
        doors = [
            line.partition(" for ")[0] for line in router.tell("mappings").split("\n")
        ]
        return entries, definitions, wanted, doors

    before, log_before = everything(), len(demo.home_assistant.log())
    yield
    assert everything() == before
    assert not faults(demo.home_assistant.log()[log_before:])


CASES = [
    *(("user", HOST), ("reconfigure", HOST)),
    ("options", LEASE_TIME),
    *(("forward", each) for each in (SERVICE, *FORWARD)),
    *(("change", each) for each in FORWARD),
]


@pytest.mark.usefixtures("_nothing_happens")
@pytest.mark.parametrize(
    ("step", "bad"), CASES, ids=[f"{step}-{bad.name}" for step, bad in CASES]
)
def test_forms(
    demo: Demo, router: SecondRouter, victim: Json, step: str, bad: Field
) -> None:
    """An error at the field or its section, in words that are translated."""
    form = Form(
        demo=demo,
        router=router,
        step=step,
        port=free_port(),
        entry_id=victim["config_entry_id"],
        forward_id=victim["forward_id"],
    )
    places = {SECTION} if bad.section else {bad.name}
    wrong = []
    for name, value in bad.bad_values():
        data = form.good()
        (data[SECTION] if bad.section else data)[bad.name] = value
        errors = form.submit(data)
        told = errors.keys() <= places and set(errors.values()) <= form.errors.keys()
        refused_by_home_assistant = "" in errors and name not in bad.typed
        if not errors or not (told or refused_by_home_assistant):
            wrong.append((name, errors))
    form.end()
    assert not wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action and one of its fields."""

    name: str
    tried: Field
    others: Json = field(default_factory=dict)


OPTIONAL = fine("null")
# Seconds, without a fraction or with one.
DURATIONS = OPTIONAL | fine("eighty and a half", "above all ports")
ADD: Json = {"name": "Bad", "internal_port": 1}
ACTIONS = [
    *(
        Action(name="add_forward", tried=each, others=ADD)
        for each in (
            Field(name="config_entry_id", fine=OPTIONAL),
            Field(name="name", fine=ODD_NAMES),
            Field(name="protocol", fine=OPTIONAL),
            Field(name="internal_port"),
            Field(name="external_port", fine=OPTIONAL | fine("empty")),
            Field(name="exact_external_port", fine=OPTIONAL | fine("true")),
            Field(name="target_host", fine=OPTIONAL | fine("empty")),
            Field(name="ip_version", fine=OPTIONAL),
            Field(name="port_count", fine=OPTIONAL),
            Field(
                name="allowed_sources",
                fine=OPTIONAL | fine("empty", "spaces", "list"),
            ),
            Field(name="duration", fine=DURATIONS),
        )
    ),
    Action(
        name="remove_forward",
        tried=Field(name="config_entry_id", fine=OPTIONAL),
        others={"name": "Victim"},
    ),
    Action(name="remove_forward", tried=Field(name="forward_id")),
    Action(name="remove_forward", tried=Field(name="name")),
    Action(name="open_forward", tried=Field(name="duration", fine=DURATIONS)),
    Action(name="list_forwards", tried=Field(name="config_entry_id", fine=OPTIONAL)),
]


@pytest.mark.usefixtures("_nothing_happens")
@pytest.mark.parametrize(
    "action", ACTIONS, ids=[f"{each.name}-{each.tried.name}" for each in ACTIONS]
)
def test_actions(demo: Demo, victim: Json, action: Action) -> None:
    """A translated error of the integration, which does not repeat a megabyte."""
    wrong = []
    target = None
    others = dict(action.others)
    if action.name == "open_forward":
        target = {"entity_id": victim["entity_id"]}
    if action.name == "add_forward":
        others |= {
            "config_entry_id": victim["config_entry_id"],
            # What is wrong beside it would be told first.
            "internal_port": free_port(),
        }
    for name, value in action.tried.bad_values():
        try:
            demo.api.call_service(
                "pcp",
                action.name,
                others | {action.tried.name: value},
                target=target,
                return_response=action.name != "remove_forward",
            )
        except ApiError as error:
            is_ours = error.details.get("translation_domain") == "pcp"
            is_known = error.translation_key in ENGLISH["exceptions"]
            if not is_ours or not is_known or len(error.message) > LONGEST_MESSAGE:
                wrong.append((name, error.code, error.message[:200]))
        else:
            wrong.append((name, "accepted", ""))
    assert not wrong


@pytest.mark.usefixtures("_nothing_happens", "victim")
@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON)
def test_not_json(demo: Demo, value: Any) -> None:
    """Home Assistant's own parser refuses it."""
    with pytest.raises(ApiError) as caught:
        demo.api.post("services/pcp/add_forward", ADD | {"name": value})
    assert caught.value.code == "400"
