"""Where the parts of a demo listen. All of it is on this machine's loopback."""

from dataclasses import dataclass, replace
import json
from pathlib import Path
import socket
from typing import Self

from tests.real_ha.process import free_port

PCP_PORT = 5351
# Of demos that choose for themselves: below the ports that a system gives away.
FIRST_PORT = 20000
# UDP, on the router's address: taken by who is going to use that address.
RESERVATION_PORT = 5399

_reservations: list[socket.socket] = []


class PlaceTakenError(Exception):
    """Something else listens where a part of the demo should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Addresses and ports, TCP unless it says otherwise."""

    home_assistant_port: int = 8123
    router_address: str = "127.0.77.1"
    external_address: str = "127.0.99.1"
    """What the router says its outside is."""
    doors_address: str | None = None
    """Where its doors are, if not on the external address."""
    web_port: int = 8080
    game_port: int = 25565
    """TCP and UDP."""

    @property
    def outside(self) -> str:
        """The address to knock at."""
        return self.doors_address or self.external_address

    @classmethod
    def free(cls) -> Self:
        """Places that no other demo uses, nor the one for people.

        They are kept for this process until it ends, so that two that begin at the
        same moment do not choose the same ones.
        """
        for number in range(1, 255):
            first = FIRST_PORT + 10 * number
            places = cls(
                home_assistant_port=first,
                router_address=f"127.0.78.{number}",
                external_address=f"127.0.100.{number}",
                web_port=first + 1,
                game_port=first + 2,
            )
            if places._reserve():
                return places
        raise PlaceTakenError("no places for another demo are left")

    def _reserve(self) -> bool:
        """Keep them for this process; tell whether nobody had them."""
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind((self.router_address, RESERVATION_PORT))
            self.check()
        except OSError, PlaceTakenError:
            mark.close()
            return False
        _reservations.append(mark)
        return True

    def remembered(self, file: Path) -> Self:
        """These places, with the examples' ports as they were at the first start.

        At the first start a port that is taken is exchanged for a free one: forwards
        in Home Assistant are going to lead there.
        """
        if file.exists():
            ports: dict[str, int] = json.loads(file.read_text())
        else:
            ports = {"web": _free_or_other(self.web_port)}
            ports["game"] = _free_or_other(self.game_port)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(ports))
        return replace(self, web_port=ports["web"], game_port=ports["game"])

    def check(self) -> None:
        """Raise PlaceTakenError where a part could not listen."""
        if not is_free("127.0.0.1", self.home_assistant_port):
            raise PlaceTakenError(
                f"Port {self.home_assistant_port} of 127.0.0.1 is taken: end what"
                " listens there, or choose another one with --port."
            )
        if not is_free(self.router_address, PCP_PORT, socket.SOCK_DGRAM):
            raise PlaceTakenError(
                f"UDP port {PCP_PORT} of {self.router_address} is taken: does another"
                " demo run?"
            )
        for port in (self.web_port, self.game_port):
            if not is_free("127.0.0.1", port):
                raise PlaceTakenError(
                    f"Port {port} of 127.0.0.1 is taken, and the demo's forwards lead"
                    " there: end what listens there, or begin anew with --fresh."
                )


def is_free(
    address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM
) -> bool:
    """Return whether a socket can be bound there."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _free_or_other(port: int) -> int:
    return port if is_free("127.0.0.1", port) else free_port()
