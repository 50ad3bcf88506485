"""A real Home Assistant in the lab's `lan`, and its forwards as doors.

What a door is, only a connection from `wan` can tell: `Home.passes` makes one. All else
here asks Home Assistant as a user or an automation does.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
import re
import shutil
from typing import Any, cast

import pytest

from tests.real_ha import ApiError, HomeAssistantApi, RealHomeAssistant
from tests.real_ha.client import FlowKind, Json
from tests.real_ha.log import faults
from tests.real_ha.process import INTEGRATION

from . import traffic, wall_clock
from .door import RECOVERY, Door, RouterEvents, state_of
from .network import ROUTER_ADDRESS, Network, Place
from .waiting import wait_until
from .wall_clock import WallClock
from .watching import Conversation, converse

PORT = 8123
# For a connection that is to fail; one that passes takes no time, but of a busy machine.
SILENCE = 1.0

# In the copy of the integration that looks around often: seconds.
QUICK_CHECK = 8.0
QUICK_LOOK = 3
_QUICKER = {
    "CHECK_INTERVAL": f"{QUICK_CHECK}",
    "LOOK_AROUND": f"timedelta(seconds={QUICK_LOOK})",
}


def quick_integration(folder: Path) -> Path:
    """Copy the integration to `folder`, with two of its intervals made short.

    Waiting four minutes for every check would take too long.
    """
    copy = folder / INTEGRATION.name
    shutil.copytree(INTEGRATION, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, value in _QUICKER.items():
        definition = re.compile(rf"^{name} = .*$", re.MULTILINE)
        (file,) = (f for f in copy.rglob("*.py") if definition.search(f.read_text()))
        file.write_text(definition.sub(f"{name} = {value}", file.read_text()))
    return copy


class Home:
    """One Home Assistant that comes and goes, and the one router it knows."""

    def __init__(
        self,
        network: Network,
        config_dir: Path,
        *,
        quick: bool,
        clock: WallClock | None = None,
    ) -> None:
        """Choose; `quick` makes it check the router and itself often.

        With `clock` it has a wall clock of its own.
        """
        self.network = network
        self._clock = clock
        integration = INTEGRATION
        if quick:
            integration = quick_integration(config_dir.with_name("quick"))
        self.process = RealHomeAssistant(
            config_dir,
            port=PORT,
            network_prefix=("ip", "netns", "exec", network.namespace("lan")),
            environment=None if clock is None else clock.environment,
            integration=integration,
            debug=True,
        )
        self.entry_id = ""
        self._listeners = ExitStack()
        self._entity_ids: dict[str, str] = {}
        self._log_begins = 0

    @property
    def api(self) -> HomeAssistantApi:
        """Home Assistant's API, with an administrator's token."""
        return self.process.api

    # The process

    def start(self) -> None:
        """Start it and wait until it is up."""
        # After a power cut Home Assistant may name entities anew.
        self._entity_ids.clear()
        self.process.start()
        try:
            self.process.wait_until_up()
        except BaseException:
            self.process.kill()
            raise

    def kill(self) -> None:
        """End it as a power cut does; `wait_until_saved` before, or forwards are lost."""
        self.process.kill()
        self._clean_up()

    def wait_until_saved(self) -> None:
        """Wait until Home Assistant has written the definitions, which it does late."""
        file = self.process.config_dir / ".storage" / "core.config_entries"
        ids = [self.entry_id, *(forward["forward_id"] for forward in self.doors())]
        wait_until(
            lambda: file.exists() and all(each in file.read_text() for each in ids),
            "the definitions to be written",
        )

    def stop(self) -> None:
        """End it as its user does."""
        self.process.stop()
        self._clean_up()

    def _clean_up(self) -> None:
        if self._clock is not None and self.process.pid is not None:
            wall_clock.forget(self.process.pid)

    def log(self) -> str:
        """What it has printed since `begin`."""
        return self.process.log()[self._log_begins :]

    # A test's beginning and end

    def begin(self) -> None:
        """Begin a test."""
        self.forget_log()
        if not self.process.is_running:
            self.start()

    def end(self) -> None:
        """Close what the test listened on, and remove its router."""
        self._listeners.close()
        if not self.process.is_running:
            self.start()
        for entry in self.api.entries("pcp"):
            self.api.delete_entry(entry["entry_id"])
        for flow in self.api.flows_in_progress():
            if flow["handler"] == "pcp":
                self.api.abort_flow(FlowKind.CONFIG, flow["flow_id"])
        self.entry_id = ""

    def forget_log(self) -> None:
        """Let what was printed until now be as it should."""
        self._log_begins = len(self.process.log())

    def check_log(self) -> None:
        """Fail when the log has a stack trace, or an error of the integration."""
        found = faults(self.log())
        assert not found, "\n".join(found)[:6000]

    # The router

    def add_router(self, host: str = ROUTER_ADDRESS, **options: Any) -> str:
        """Add the router by the config flow; return the entry's id."""
        result = self.try_router(host)
        assert result["type"] == "create_entry", result
        self.entry_id = result["result"]["entry_id"]
        # The set-up does not wait for it.
        self.wait_for_router("binary_sensor", "reachable", "on")
        if options:
            self.set_options(**options)
        return self.entry_id

    def try_router(self, host: str) -> Json:
        """Name a host in the config flow; return what that leads to."""
        flow = self.api.start_flow("pcp")
        result = self.api.configure(FlowKind.CONFIG, flow["flow_id"], {"host": host})
        if (next_flow := result.get("next_flow")) is not None:
            self.api.abort_flow(FlowKind.SUBENTRY, next_flow[1])
        return result

    def router_error(self, host: str) -> dict[str, str]:
        """Name a host that cannot be added; return the form's errors."""
        result = self.try_router(host)
        assert result["type"] == "form", result
        self.api.abort_flow(FlowKind.CONFIG, result["flow_id"])
        return cast("dict[str, str]", result["errors"])

    def set_options(self, **options: Any) -> None:
        """Change the router's options: `lease_time`, `third_party`."""
        flow = self.api.start_options_flow(self.entry_id)
        data = {"lease_time": 3600, "third_party": False, "anycast": False} | options
        result = self.api.configure(FlowKind.OPTIONS, flow["flow_id"], data)
        assert result["type"] == "create_entry", result

    def entity_id(self, unique_id: str) -> str:
        """Return the entity id that belongs to a unique id."""
        if unique_id not in self._entity_ids:
            found = self.api.entity_id(unique_id)
            assert found is not None, f"no entity {unique_id}"
            self._entity_ids[unique_id] = found
        return self._entity_ids[unique_id]

    def router_entity(self, platform: str, key: str) -> str:
        """Return the entity id of one of the router's entities."""
        found = self.entity_id(f"{self.entry_id}_{key}")
        assert found.startswith(f"{platform}."), found
        return found

    def router_state(self, platform: str, key: str) -> str:
        """Return the state of one of the router's entities."""
        return state_of(self.api, self.router_entity(platform, key))

    def wait_for_router(
        self, platform: str, key: str, state: str, *, timeout: float = RECOVERY
    ) -> None:
        """Wait until one of the router's entities has that state."""
        self.api.wait_for_state(
            self.router_entity(platform, key), state, timeout=timeout
        )

    def servers(self) -> dict[int, str]:
        """Return where the router is asked, by IP version, as diagnostics tell it."""
        told = self.api.diagnostics(self.entry_id)["data"]["client"]["servers"]
        return {link["ip_version"]: link["server"] for link in told}

    @contextmanager
    def router_events(self) -> Iterator[RouterEvents]:
        """Collect what the router's event entity tells."""
        entity_id = self.router_entity("event", "router")
        with self.api.subscribe("state_changed") as subscription:
            yield RouterEvents(entity_id, subscription)

    # The doors

    def add(self, name: str, internal_port: int, **fields: Any) -> Door:
        """Add a forward by the action; it is open then."""
        forward = self.api.call_service(
            "pcp",
            "add_forward",
            {"name": name, "internal_port": internal_port} | fields,
            return_response=True,
        )
        return Door(home=self, forward_id=forward["forward_id"])

    def refusal(self, name: str, internal_port: int, **fields: Any) -> str | None:
        """Add a forward that cannot be; return the key of the error."""
        with pytest.raises(ApiError) as refused:
            self.add(name, internal_port, **fields)
        assert refused.value.message, "an error without words"
        return refused.value.translation_key

    def add_by_flow(self, name: str, internal_port: int, **fields: Any) -> Door:
        """Add a forward by the form; it is open then."""
        before = {each["subentry_id"] for each in self.api.subentries(self.entry_id)}
        result = self.try_form(name, internal_port, **fields)
        assert result["type"] == "create_entry", result
        after = {each["subentry_id"] for each in self.api.subentries(self.entry_id)}
        (forward_id,) = after - before
        wait_until(
            lambda: self.api.entity_id(f"{forward_id}_expires_at"),
            "the entities of a new forward",
        )
        return Door(home=self, forward_id=forward_id)

    def form_errors(
        self, name: str, internal_port: int, **fields: Any
    ) -> dict[str, str]:
        """Submit the form with something that cannot be; return its errors."""
        result = self.try_form(name, internal_port, **fields)
        assert result["type"] == "form", result
        self.api.abort_flow(FlowKind.SUBENTRY, result["flow_id"])
        return cast("dict[str, str]", result["errors"])

    def try_form(
        self,
        name: str,
        internal_port: int,
        *,
        changes: Door | None = None,
        **fields: Any,
    ) -> Json:
        """Submit the form; `fields` besides `protocol` belong to its section."""
        data: Json = {"name": name, "internal_port": internal_port}
        data["protocol"] = fields.pop("protocol", "tcp")
        data["advanced"] = fields
        flow = self.api.start_subentry_flow(
            self.entry_id,
            "forward",
            subentry_id=changes.forward_id if changes else None,
        )
        return self.api.configure(FlowKind.SUBENTRY, flow["flow_id"], data)

    def change(
        self, door: Door, name: str, internal_port: int, **fields: Any
    ) -> dict[str, str]:
        """Change a forward by its form; return the form's errors, if any."""
        result = self.try_form(name, internal_port, changes=door, **fields)
        if result["type"] == "form":
            self.api.abort_flow(FlowKind.SUBENTRY, result["flow_id"])
            return cast("dict[str, str]", result["errors"])
        assert result["reason"] == "reconfigure_successful", result
        return {}

    def doors(self) -> list[Json]:
        """Return all forwards as `pcp.list_forwards` tells them."""
        answer = self.api.call_service("pcp", "list_forwards", return_response=True)
        return cast("list[Json]", answer["forwards"])

    # Traffic

    def listen(
        self, port_number: int, *, place: Place = "lan", protocol: str = "tcp"
    ) -> traffic.Listener:
        """Listen in the LAN until the test ends."""
        listen = getattr(self.network, f"listen_{protocol}")
        return cast(
            "traffic.Listener",
            self._listeners.enter_context(listen(place, port_number)),
        )

    def passes(
        self,
        port_number: int,
        *,
        protocol: str = "tcp",
        address: str | None = None,
        timeout: float = SILENCE,
    ) -> bool:
        """Tell whether a connection from outside gets an answer."""
        address = address or self.network.external_address
        ask = {"tcp": self.network.connect_tcp, "udp": self.network.exchange_udp}
        return ask[protocol]("wan", address, port_number, timeout=timeout) == b"hello"

    def wait_until_passes(
        self,
        port_number: int,
        *,
        protocol: str = "tcp",
        address: str | None = None,
        timeout: float = RECOVERY,
    ) -> None:
        """Wait until a connection from outside gets an answer."""
        wait_until(
            lambda: self.passes(port_number, protocol=protocol, address=address),
            f"{protocol} {port_number} to pass",
            timeout=timeout,
        )

    def wait_until_shut(
        self,
        port_number: int,
        *,
        address: str | None = None,
        timeout: float = RECOVERY,
    ) -> None:
        """Wait until a connection from outside gets no answer."""
        wait_until(
            lambda: not self.passes(port_number, address=address),
            f"{port_number} to be shut",
            timeout=timeout,
        )

    def conversation(self, port_number: int) -> AbstractContextManager[Conversation]:
        """Keep one TCP connection from outside to a port of `lan`."""
        return converse(self.network, port_number)
