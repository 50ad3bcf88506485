"""The router's DHCP server: Debian's dnsmasq, for IPv4 and IPv6, without DNS."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from . import processes
from .network import ROUTER_ADDRESS, ROUTER_ADDRESS_V6, Network
from .waiting import wait_until

DAEMON = "dnsmasq"


class DhcpServer:
    """A DHCP server in the router's namespace; off until `start`."""

    def __init__(self, network: Network) -> None:
        """Take up the one that is there, or a new one."""
        self.network = network
        self._pid_file = network.folder / "dnsmasq.pid"
        self._log = network.folder / "dnsmasq.log"

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return processes.read_pid(self._pid_file) is not None

    def start(
        self,
        *,
        servers: Iterable[Iterable[str]] = ((ROUTER_ADDRESS,),),
        server_v6: Iterable[str] = (ROUTER_ADDRESS_V6,),
    ) -> None:
        """Start, naming PCP servers by RFC 7291, each by the list of its addresses.

        dnsmasq sends an option of DHCPv6 once, so it names one server at most.
        """
        self.stop()
        lists = [[IPv4Address(one).packed for one in server] for server in servers]
        option = b"".join(
            bytes((4 * len(addresses),)) + b"".join(addresses) for addresses in lists
        )
        option_v6 = ",".join(f"[{address}]" for address in server_v6)
        self.network.run(
            "router",
            DAEMON,
            "--conf-file=/dev/null",
            "--user=root",
            "--port=0",
            "--interface=br0",
            "--bind-interfaces",
            "--dhcp-authoritative",
            "--dhcp-range=192.168.77.100,192.168.77.150,1h",
            "--dhcp-range=2001:db8:77::1000,2001:db8:77::1fff,64,1h",
            *([f"--dhcp-option=158,{option.hex(':')}"] if option else []),
            *([f"--dhcp-option=option6:86,{option_v6}"] if option_v6 else []),
            "--log-dhcp",
            f"--log-facility={self._log}",
            f"--pid-file={self._pid_file}",
            f"--dhcp-leasefile={self.network.folder / 'dnsmasq.leases'}",
        )
        wait_until(
            lambda: self.is_running,
            "the DHCP server to run",
        )

    def stop(self) -> None:
        """End it; what it was asked is forgotten."""
        processes.end(self._pid_file)
        self._log.unlink(missing_ok=True)

    def requests(self) -> list[str]:
        """Return the kinds of messages that it was sent since `start`, in order."""
        kinds = ("DHCPINFORM", "DHCPINFORMATION-REQUEST", "DHCPDISCOVER", "DHCPREQUEST")
        words = self._log.read_text().split()
        return [kind for word in words if (kind := word.partition("(")[0]) in kinds]
