"""Another router in the same LAN: a miniupnpd of its own, on the host `nas`."""

from typing import Self

from .network import NAS_ADDRESS, Network, Place
from .router import Router

# The WAN side leads nowhere, but the daemon wants one.
_WAN_ADDRESS = "22.0.114.1"


class SecondRouter(Router):
    """Runs for the length of a `with` block."""

    place: Place = "nas"
    lan_device = "eth0"
    address = NAS_ADDRESS

    def __init__(self, network: Network) -> None:
        """Choose; nothing is made before the block."""
        super().__init__(network, enable_upnp=False)

    def __enter__(self) -> Self:
        """Give it a WAN side, and start it."""
        run = self.network.run
        link = ("link", "add", "wan0", "type", "veth", "peer", "name", "wan1")
        run(self.place, "ip", *link)
        for device in ("wan0", "wan1"):
            run(self.place, "ip", "link", "set", device, "up")
        run(self.place, "ip", "address", "add", f"{_WAN_ADDRESS}/24", "dev", "wan0")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and leave the host as it was."""
        self.stop()
        self.network.run(self.place, "nft", "flush", "ruleset")
        self.network.run(self.place, "ip", "link", "del", "wan0")
