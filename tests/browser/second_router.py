"""A router beside the demo's, that a test may do anything with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import socket
import subprocess
import sys

from tests.demo import Demo, Places
from tests.demo.places import PCP_PORT, is_free
from tests.lab.waiting import wait_until
from tests.real_ha.client import FlowKind, Json
from tests.real_ha.process import ROOT, ending_with_us, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondRouter:
    """A simulated router in a process of its own."""

    demo: Demo
    places: Places
    control_port: int

    @property
    def address(self) -> str:
        """Where it is asked."""
        return self.places.router_address

    @property
    def outside(self) -> str:
        """Where its doors are."""
        return self.places.outside

    def tell(self, line: str) -> str:
        """Give it a command, as `reboot` or `personality quota`; return its answer."""
        with socket.create_connection(("127.0.0.1", self.control_port), 10) as control:
            control.sendall(f"{line}\n".encode())
            control.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: control.recv(65536), b"")).decode().strip()

    def holds_nothing(self) -> bool:
        """Tell whether its table is empty."""
        return self.tell("mappings") == "no mappings"

    def add(self) -> Json:
        """Add it to Home Assistant; return the entry."""
        api = self.demo.api
        form = api.start_flow("pcp")
        result = api.configure(FlowKind.CONFIG, form["flow_id"], {"host": self.address})
        api.abort_flow(FlowKind.SUBENTRY, result["next_flow"][1])
        entry = self.entry()
        assert entry is not None, result
        return entry

    def entry(self) -> Json | None:
        """Return its entry in Home Assistant, if there is one."""
        for entry in self.demo.api.entries("pcp"):
            if self.address in entry["title"]:
                return entry
        return None


@contextmanager
def run(demo: Demo) -> Iterator[SecondRouter]:
    """Start one; at the end it is gone, and its entry too."""
    places = Places.free()
    router = SecondRouter(demo=demo, places=places, control_port=free_port())
    command = [sys.executable, "-m", "tests.simulated_router"]
    command += ["--address", router.address, "--external", places.external_address]
    command += ["--control", str(router.control_port)]
    process = subprocess.Popen(
        ending_with_us(command),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: not is_free(router.address, PCP_PORT, socket.SOCK_DGRAM),
            "the second router",
            timeout=60,
        )
        yield router
        if (entry := router.entry()) is not None:
            demo.api.delete_entry(entry["entry_id"])
    finally:
        process.terminate()
        process.wait()
