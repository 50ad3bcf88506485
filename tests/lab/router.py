"""The router: Debian's miniupnpd in the router's namespace, and what befalls it."""

import json
from pathlib import Path
import sys
import time
from typing import TypedDict, Unpack

from . import ipv6, nat_pmp_responder, processes, raw, rules
from .network import Network, Place
from .waiting import wait_until

DAEMON = "miniupnpd"
PCP_PORT = 5351
HTTP_PORT = 5000
PRIVATE_ADDRESS = "10.0.0.1"


class Options(TypedDict, total=False):
    """What can be set; see DEFAULTS."""

    enable_natpmp: bool
    """PCP and NAT-PMP together. Without it nothing listens on port 5351."""
    enable_upnp: bool
    """Without it a change of the WAN address is never announced."""
    system_uptime: bool
    """The epoch is the machine's uptime: it does not begin anew at a restart."""
    min_lifetime: int
    """Seconds; PCP requests for less get it. Only 120 means the same everywhere:
    miniupnpd 2.3.1 takes 1 to 120, 2.3.9 takes 120 and more."""
    max_lifetime: int
    """Seconds; requests for more get it. The daemon wants it above min_lifetime."""
    third_party: bool
    lease_files: bool
    """Mappings survive the daemon and the rules."""
    permissions: list[str]
    """miniupnpd's allow and deny rules; IPv4 only."""
    nat_pmp_only: bool
    """Any version but 0 is answered as RFC 6886 3.5 says; no PCP over IPv6."""


DEFAULTS: Options = {
    "enable_natpmp": True,
    "enable_upnp": True,
    "system_uptime": False,
    "min_lifetime": 120,
    "max_lifetime": 86400,
    "third_party": True,
    "lease_files": False,
    # Internal ports from 0: with 1-65535 a request for port 0 walks all ports.
    "permissions": [
        "allow 1024-65535 192.168.77.0/24 0-65535",
        "deny 0-65535 0.0.0.0/0 0-65535",
    ],
    "nat_pmp_only": False,
}


class Router:
    """A router in a `Network` that is up. Stopped until `start`."""

    place: Place = "router"
    lan_device = "br0"

    def __init__(self, network: Network, **options: Unpack[Options]) -> None:
        """Take up the router that is there with its options, or a new one."""
        self.network = network
        self._pid_file = self._file("miniupnpd.pid")
        self._responder_pid_file = self._file("nat-pmp-responder.pid")
        self._lease_files = (self._file("leases"), self._file("leases6"))
        self._options_file = self._file("router-options.json")
        self.options: Options = DEFAULTS | options
        if not options and self._options_file.exists():
            self.options = json.loads(self._options_file.read_text())

    def _file(self, name: str) -> Path:
        named = name if self.place == "router" else f"{self.place}-{name}"
        return self.network.folder / named

    # Off and on

    @property
    def is_running(self) -> bool:
        """Whether the daemon runs."""
        return processes.read_pid(self._pid_file) is not None

    @property
    def uptime(self) -> float:
        """Seconds since the daemon was started."""
        pid = processes.read_pid(self._pid_file)
        if pid is None:
            raise ProcessLookupError("the router is not running")
        return processes.age(pid)

    def start(self) -> None:
        """Start the daemon and wait until it listens. Running: nothing happens."""
        if self.is_running:
            return
        if not self._has_rules:
            self._load_rules()
        for lease_file in self._lease_files:
            lease_file.touch()
        self._options_file.write_text(json.dumps(self.options))
        configuration = self._file("miniupnpd.conf")
        configuration.write_text(self._configuration())
        if self.options["nat_pmp_only"]:
            # First, or the daemon's first announcement would tell that it knows PCP.
            self._add_table("lab_nat_pmp_only", rules.NAT_PMP_ONLY)
        # Without -d, which slows it down, it forks: the pid is in its file.
        self.network.run(
            *(self.place, DAEMON),
            *("-f", str(configuration), "-P", str(self._pid_file)),
        )
        wait_until(lambda: self.is_running and self._listens(), "the router to listen")
        if self.options["nat_pmp_only"]:
            self._start_responder()

    def stop(self, *, hard: bool = False) -> None:
        """End the daemon (TERM, or KILL) and leave its rules; requests are refused."""
        self._end_nat_pmp_only()
        processes.end(self._pid_file, hard=hard)

    def kill(self) -> None:
        """End the daemon as a power cut does: KILL."""
        self.stop(hard=True)

    def refuse(self) -> None:
        """Answer requests by ICMP port unreachable, until `start`."""
        self.stop()

    def restart(
        self,
        *,
        lose_mappings: bool = True,
        keep_rules: bool = False,
        system_uptime: bool | None = None,
        hard: bool = False,
        down_for: float = 0.0,
    ) -> None:
        """Stop and start.

        lose_mappings: the lease files are emptied. Without `lease_files` among the
        options there is nothing else than the rules to remember mappings by.
        keep_rules: only the daemon restarts; what was mapped goes on passing.
        system_uptime: changes that option, if given.
        down_for: seconds; meanwhile requests are refused, with `silence` dropped.
        """
        self.stop(hard=hard)
        if lose_mappings:
            for lease_file in self._lease_files:
                lease_file.unlink(missing_ok=True)
        if not keep_rules:
            self._load_rules()
            self._flush_connections()
        if system_uptime is not None:
            self.options["system_uptime"] = system_uptime
        if down_for:
            time.sleep(down_for)
        self.start()

    def reboot(self) -> None:
        """Restart with everything lost: mappings, rules, connections, lease files."""
        self.restart()

    def configure(self, **changes: Unpack[Options]) -> None:
        """Change options; a running router reboots with them."""
        self.options = self.options | changes
        if self.is_running:
            self.reboot()

    def reset(self) -> None:
        """Be as new: defaults, started, no mapping, no fault, the first addresses."""
        self.stop()
        self._nft("flush ruleset")
        self._flush_connections()
        for lease_file in self._lease_files:
            lease_file.unlink(missing_ok=True)
        self.network.reset_addresses()
        ipv6.reset(self.network)
        self.options = DEFAULTS.copy()
        self.start()
        # It answers after it has announced its start, which no test is to hear.
        raw.ask(self.network, raw.announce_request(), timeout=5.0)

    # Faults; they outlast a reboot

    def silence(self, *, ip_version: int | None = None) -> None:
        """Lose every request from the LAN, without ICMP; announcements still leave.

        With `ip_version` (4, 6) only those over that one.
        """
        self._add_table("lab_silence", rules.silence(ip_version))

    def unsilence(self) -> None:
        """End `silence`."""
        self._remove_table("lab_silence")

    def drop_announcements(self) -> None:
        """Lose what the router multicasts to ports 5350 and 5351."""
        self._add_table("lab_announcements", rules.ANNOUNCEMENTS_DROPPED)

    def pass_announcements(self) -> None:
        """End `drop_announcements`."""
        self._remove_table("lab_announcements")

    def loss(self, percent: float) -> None:
        """Lose so many of the PCP datagrams, each way, at random; 0 ends it."""
        if percent:
            self._add_table("lab_loss", rules.loss(percent))
        else:
            self._remove_table("lab_loss")

    def faults(self) -> list[str]:
        """Return the names of the faults that are on."""
        tables = self.network.run(self.place, "nft", "list", "tables").stdout
        return [
            name.removeprefix("lab_")
            for name in tables.split()
            if name.startswith("lab_")
        ]

    def nat_pmp_only(self, on: bool = True) -> None:
        """Know NAT-PMP alone, or PCP again; no restart, mappings stay."""
        self.options["nat_pmp_only"] = on
        self._options_file.write_text(json.dumps(self.options))
        self._end_nat_pmp_only()
        if on and self.is_running:
            self._start_responder()
            self._add_table("lab_nat_pmp_only", rules.NAT_PMP_ONLY)

    def change_external_address(self, external_address: str) -> None:
        """Get another WAN address. The daemon sees it soon, and resets its epoch."""
        self.network.set_external_address(external_address)

    def private_external_address(self) -> None:
        """Get a private WAN address, as behind another NAT."""
        self.change_external_address(PRIVATE_ADDRESS)

    # What it holds

    def mappings(self) -> list[rules.Mapping]:
        """Return what nftables really forwards, whatever the daemon says."""
        return rules.parse_mappings(
            self.network.run(
                *(self.place, "nft", "-j", "list", "table", "inet", "filter")
            ).stdout
        )

    # The machinery

    def _configuration(self) -> str:
        options = self.options
        lines = [
            "ext_ifname=wan0",
            "ext_ifname6=wan0",
            f"listening_ip={self.lan_device}",
            f"enable_natpmp={_yes_or_no(options['enable_natpmp'])}",
            f"enable_upnp={_yes_or_no(options['enable_upnp'])}",
            "secure_mode=no",
            f"system_uptime={_yes_or_no(options['system_uptime'])}",
            f"min_lifetime={options['min_lifetime']}",
            f"max_lifetime={options['max_lifetime']}",
            f"pcp_allow_thirdparty={_yes_or_no(options['third_party'])}",
            "upnp_table_name=filter",
            "upnp_nat_table_name=filter",
            "upnp_forward_chain=miniupnpd",
            "upnp_nat_chain=prerouting_miniupnpd",
            "upnp_nat_postrouting_chain=postrouting_miniupnpd",
            f"http_port={HTTP_PORT}",
            "notify_interval=60",
            f"minissdpdsocket={self._file('no-minissdpd')}",
            "uuid=70637000-0000-4000-8000-000000000001",
            *options["permissions"],
        ]
        if options["lease_files"]:
            lines += [
                f"lease_file={self._lease_files[0]}",
                f"lease_file6={self._lease_files[1]}",
            ]
        return "\n".join(lines) + "\n"

    def _listens(self) -> bool:
        if self.options["enable_natpmp"]:
            return self._has_port("udp", PCP_PORT) and self._has_port("udp6", PCP_PORT)
        return self._has_port("tcp", HTTP_PORT) or self._has_port("tcp6", HTTP_PORT)

    def _has_port(self, table: str, port_number: int) -> bool:
        with self.network.inside(self.place):
            lines = Path("/proc/thread-self/net", table).read_text().splitlines()[1:]
        return any(line.split()[1].endswith(f":{port_number:04X}") for line in lines)

    @property
    def _has_rules(self) -> bool:
        return (
            "inet filter"
            in self.network.run(self.place, "nft", "list", "tables").stdout
        )

    def _load_rules(self) -> None:
        self._nft(rules.BASE)

    def _flush_connections(self) -> None:
        self.network.run(self.place, "conntrack", "-F")

    def _start_responder(self) -> None:
        self.network.run(
            *(self.place, sys.executable, "-I"),
            *(nat_pmp_responder.__file__, str(self._responder_pid_file)),
        )

    def _end_nat_pmp_only(self) -> None:
        self._remove_table("lab_nat_pmp_only")
        processes.end(self._responder_pid_file)

    def _add_table(self, name: str, chains: str) -> None:
        self._remove_table(name)
        self._nft(f"table inet {name} {{\n{chains}\n}}\n")

    def _remove_table(self, name: str) -> None:
        self._nft(f"table inet {name}\ndelete table inet {name}\n")

    def _nft(self, commands: str) -> None:
        self.network.run(self.place, "nft", "-f", "-", stdin=commands)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
