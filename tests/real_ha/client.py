"""Home Assistant's API as blocking calls: states, actions, flows and registries.

Results are the JSON that Home Assistant sends; a refusal raises ApiError.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.lab.waiting import wait_until

from .connection import ApiError, Connection, Subscription

type Json = dict[str, Any]

# Above the 10 s that adding a forward may wait for the router.
STATE_TIMEOUT = 15.0
# A request is work for three processes.
POLL_INTERVAL = 0.2


class FlowKind(StrEnum):
    """The three kinds of flows, by the part of the path that tells them apart."""

    CONFIG = "flow"
    OPTIONS = "options/flow"
    SUBENTRY = "subentries/flow"


class HomeAssistantApi:
    """One user's view of one running Home Assistant."""

    def __init__(
        self, token: str, *, port: int, unix_socket: Path | None = None
    ) -> None:
        self.connection = Connection(token=token, port=port, unix_socket=unix_socket)

    def get(self, path: str) -> Any:
        """GET below /api/."""
        return self.connection.request("GET", path)

    def post(self, path: str, data: Json | None = None) -> Any:
        """POST below /api/."""
        return self.connection.request("POST", path, data or {})

    def delete(self, path: str) -> Any:
        """DELETE below /api/."""
        return self.connection.request("DELETE", path)

    def command(self, command_type: str, /, **fields: Any) -> Any:
        """Send the websocket command `command_type`."""
        return self.connection.command({"type": command_type} | fields)

    def subscribe(self, event_type: str) -> Subscription:
        """Collect the events of one type of the event bus, as a context manager."""
        return self.connection.subscribe(
            {"type": "subscribe_events", "event_type": event_type}
        )

    # States and actions

    def states(self) -> list[Json]:
        """Every state."""
        states: list[Json] = self.get("states")
        return states

    def get_state(self, entity_id: str) -> Json | None:
        """One state, or None when there is no such entity."""
        try:
            state: Json = self.get(f"states/{entity_id}")
        except ApiError as error:
            if error.code == "404":
                return None
            raise
        return state

    def wait_for_state(
        self,
        entity_id: str,
        condition: str | Callable[[Json], object],
        *,
        timeout: float = STATE_TIMEOUT,
    ) -> Json:
        """Wait until a state equals the text or fulfils the predicate; return it.

        The predicate gets the whole state object. Raises TimeoutError that tells the
        last state seen.
        """
        seen: Json | None = None

        def fulfilled() -> object:
            nonlocal seen
            seen = self.get_state(entity_id)
            if seen is None:
                return False
            if isinstance(condition, str):
                return seen["state"] == condition
            return condition(seen)

        try:
            wait_until(
                fulfilled,
                f"the state of {entity_id}",
                timeout=timeout,
                interval=POLL_INTERVAL,
            )
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last seen: {seen}") from None
        assert seen is not None
        return seen

    def call_service(
        self,
        domain: str,
        service: str,
        data: Json | None = None,
        *,
        target: Json | None = None,
        return_response: bool = False,
    ) -> Any:
        """Run an action, return its response (None unless asked for).

        Raises ApiError with the translation key of the integration's error.
        """
        message: Json = {
            "domain": domain,
            "service": service,
            "service_data": data or {},
            "return_response": return_response,
        }
        if target:
            message["target"] = target
        return self.command("call_service", **message).get("response")

    # Flows

    def start_flow(self, handler: str, *, entry_id: str | None = None) -> Json:
        """Start a config flow; with `entry_id`, the reconfiguration of that entry."""
        data = {"handler": handler} | ({"entry_id": entry_id} if entry_id else {})
        return self._start(FlowKind.CONFIG, data)

    def start_options_flow(self, entry_id: str) -> Json:
        """Start the options flow of an entry."""
        return self._start(FlowKind.OPTIONS, {"handler": entry_id})

    def start_subentry_flow(
        self, entry_id: str, subentry_type: str, *, subentry_id: str | None = None
    ) -> Json:
        """Start a subentry flow; with `subentry_id`, its reconfiguration."""
        data: Json = {"handler": [entry_id, subentry_type]}
        if subentry_id:
            data["subentry_id"] = subentry_id
        return self._start(FlowKind.SUBENTRY, data)

    def configure(self, kind: FlowKind, flow_id: str, data: Json) -> Json:
        """Submit a step's form; return the next step, the entry or the abort."""
        result: Json = self.post(f"config/config_entries/{kind}/{flow_id}", data)
        return result

    def abort_flow(self, kind: FlowKind, flow_id: str) -> None:
        """Close a flow that has not ended."""
        self.delete(f"config/config_entries/{kind}/{flow_id}")

    def flows_in_progress(self) -> list[Json]:
        """The flows that nobody started by hand, as discovery's."""
        flows: list[Json] = self.command("config_entries/flow/progress")
        return flows

    def _start(self, kind: FlowKind, data: Json) -> Json:
        result: Json = self.post(f"config/config_entries/{kind}", data)
        return result

    # Config entries

    def entries(self, domain: str) -> list[Json]:
        """The config entries of a domain."""
        entries: list[Json] = self.get(f"config/config_entries/entry?domain={domain}")
        return entries

    def delete_entry(self, entry_id: str) -> None:
        """Remove a config entry."""
        self.delete(f"config/config_entries/entry/{entry_id}")

    def reload_entry(self, entry_id: str) -> None:
        """Unload and set up a config entry."""
        self.post(f"config/config_entries/entry/{entry_id}/reload")

    def set_entry_enabled(self, entry_id: str, *, enabled: bool) -> None:
        """Enable or disable a config entry."""
        self.command(
            "config_entries/disable",
            entry_id=entry_id,
            disabled_by=None if enabled else "user",
        )

    def subentries(self, entry_id: str) -> list[Json]:
        """The subentries of a config entry."""
        subentries: list[Json] = self.command(
            "config_entries/subentries/list", entry_id=entry_id
        )
        return subentries

    def delete_subentry(self, entry_id: str, subentry_id: str) -> None:
        """Remove a subentry."""
        self.command(
            "config_entries/subentries/delete",
            entry_id=entry_id,
            subentry_id=subentry_id,
        )

    def diagnostics(self, entry_id: str) -> Json:
        """Download an entry's diagnostics."""
        diagnostics: Json = self.get(f"diagnostics/config_entry/{entry_id}")
        return diagnostics

    # Registries

    def entity_registry(self) -> list[Json]:
        """Every entity in the registry, disabled ones too."""
        entities: list[Json] = self.command("config/entity_registry/list")
        return entities

    def device_registry(self) -> list[Json]:
        """Every device in the registry."""
        devices: list[Json] = self.command("config/device_registry/list")
        return devices

    def entity_id(self, unique_id: str, *, platform: str = "pcp") -> str | None:
        """The entity id that belongs to a unique id, or None."""
        for entity in self.entity_registry():
            if (entity["unique_id"], entity["platform"]) == (unique_id, platform):
                entity_id: str = entity["entity_id"]
                return entity_id
        return None

    def set_entity_enabled(self, entity_id: str, *, enabled: bool) -> None:
        """Enable or disable an entity.

        The entity of an entry that is loaded comes back when the entry is reloaded,
        which Home Assistant does by itself 30 s later.
        """
        self.command(
            "config/entity_registry/update",
            entity_id=entity_id,
            disabled_by=None if enabled else "user",
        )

    def set_device_enabled(self, device_id: str, *, enabled: bool) -> None:
        """Enable or disable a device with its entities."""
        self.command(
            "config/device_registry/update",
            device_id=device_id,
            disabled_by=None if enabled else "user",
        )

    def issues(self) -> list[Json]:
        """The open repair issues."""
        issues: list[Json] = self.command("repairs/list_issues")["issues"]
        return issues

    # Dashboards

    def save_dashboard(self, config: Json, *, url_path: str | None = None) -> None:
        """Write a dashboard's configuration; the overview without `url_path`."""
        self.command("lovelace/config/save", url_path=url_path, config=config)
