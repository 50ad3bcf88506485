"""The demo's dashboard: every forward with its switch, the router, the history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

type Card = dict[str, Any]
type EntityOf = Callable[[str, str], str]
"""(entry or subentry id, key) to entity id; raises LookupError."""

URL_PATH = "router-ports"
TITLE = "Router ports"
ICON = "mdi:router-network"
WIDE = {"columns": "full"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A forward as the dashboard shows it."""

    forward_id: str
    heading: str
    icon: str
    port: str


def build(
    entry_id: str,
    examples: Sequence[Example],
    entity_of: EntityOf,
    *,
    hint: str,
    hours: float,
) -> dict[str, Any]:
    """Return a dashboard; `hint` is Markdown above everything, or empty.

    `hours` are those of the history and of the logbook.
    """
    sections = [_forward(example, entity_of) for example in examples]
    view: dict[str, Any] = {
        "type": "sections",
        "title": TITLE,
        "path": "ports",
        "max_columns": 3,
        "sections": [
            *sections,
            _router(entry_id, entity_of),
            _history(entry_id, examples, entity_of, hours),
        ],
    }
    if hint:
        card = {"type": "markdown", "text_only": True, "content": hint}
        view["header"] = {"layout": "start", "card": card}
    return {"views": [view]}


def _forward(example: Example, entity_of: EntityOf) -> Card:
    def entity(key: str) -> str:
        return entity_of(example.forward_id, key)

    switch = entity("forward")
    return _section(
        {"type": "heading", "heading": example.heading, "icon": example.icon},
        {
            "type": "tile",
            "entity": switch,
            "name": example.port,
            "color": "amber",
            "features": [{"type": "toggle"}],
            "features_position": "inline",
            "grid_options": WIDE,
        },
        _tile(entity("status"), "Status") | {"grid_options": WIDE},
        _tile_when_known(entity("external_address"), "From outside")
        | {"grid_options": WIDE},
        {
            "type": "tile",
            "entity": switch,
            "name": "Open for two hours",
            "icon": "mdi:timer-play-outline",
            "color": "primary",
            "hide_state": True,
            "grid_options": WIDE,
            "tap_action": {
                "action": "perform-action",
                "perform_action": "pcp.open_forward",
                "target": {"entity_id": switch},
                "data": {"duration": {"hours": 2}},
            },
            "icon_tap_action": {"action": "none"},
        },
        _tile_when_known(entity("closes_at"), "Closes") | {"grid_options": WIDE},
    )


def _router(entry_id: str, entity_of: EntityOf) -> Card:
    def entity(key: str) -> str:
        return entity_of(entry_id, key)

    return _section(
        {"type": "heading", "heading": "Router", "icon": ICON},
        _tile(entity("external_ipv4"), "External address") | {"grid_options": WIDE},
        _tile(entity("reachable"), "Router"),
        _tile(entity("protocol"), "Protocol"),
        _tile(entity("router_started"), "Started"),
        _tile(entity("double_nat"), "Double NAT"),
        _tile(entity("renew"), "Ask again") | {"hide_state": True},
        _tile_when_known(entity("router"), "Last event"),
    )


def _history(
    entry_id: str, examples: Sequence[Example], entity_of: EntityOf, hours: float
) -> Card:
    switches = [entity_of(example.forward_id, "forward") for example in examples]
    entities = [
        {"entity": entity_of(example.forward_id, "status"), "name": example.heading}
        for example in examples
    ]
    return _section(
        {"type": "heading", "heading": "When it was open", "icon": "mdi:history"},
        {
            "type": "history-graph",
            "hours_to_show": hours,
            "entities": entities,
            "grid_options": WIDE,
        },
        {
            "type": "logbook",
            "hours_to_show": hours,
            "target": {"entity_id": [*switches, entity_of(entry_id, "router")]},
            "grid_options": WIDE,
        },
    ) | {"column_span": 3}


def _section(*cards: Card) -> Card:
    return {"type": "grid", "cards": list(cards)}


def _tile(entity_id: str, name: str) -> Card:
    return {"type": "tile", "entity": entity_id, "name": name}


def _tile_when_known(entity_id: str, name: str) -> Card:
    """Return a tile that is only there while it has something to tell."""
    missing = ["unknown", "unavailable"]
    condition = {"condition": "state", "entity": entity_id, "state_not": missing}
    return _tile(entity_id, name) | {"visibility": [condition]}
