"""The lab by hand, as root: `python -m tests.lab COMMAND`, from the root of the project.

up [KEY=VALUE ...]      bring it up, the router started (options: see router.py)
down [--left-over]      take it down; or what ended test runs left behind
status                  what is there
run PLACE COMMAND ...   in router, lan, nas or wan
start | stop | reboot   the router; stopped it refuses
silence on|off          requests are lost
announcements on|off
loss PERCENT            of the PCP datagrams, each way
nat-pmp-only on|off
dhcp on|off             its DHCP server, which names it as the PCP server
address ADDRESS         the router's address on the WAN side
"""

import argparse
import json
import os
import sys
from typing import cast

from . import requirements
from .dhcp import DhcpServer
from .network import PLACES, Network, Place, left_over
from .router import DEFAULTS, Options, Router

PREFIX = "pcp-"


def main() -> int:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    if missing := requirements.missing():
        return _fail(f"the lab needs {', '.join(missing)}")
    network = Network(PREFIX)
    command: str = arguments.command
    if command == "up":
        network.up()
        router = Router(network)
        if options := _options(arguments.options):
            router.configure(**options)
        router.start()
        _say(_status(network))
        return 0
    if command == "down":
        for each in left_over() if arguments.left_over else [network]:
            each.down()
        return 0
    if not network.is_up:
        return _fail("the lab is not up")
    if command == "run":
        os.execvp(
            "ip",
            [
                *("ip", "netns", "exec", network.namespace(arguments.place)),
                *arguments.words,
            ],
        )
    _operate(Router(network), command, arguments)
    _say(_status(network))
    return 0


def _operate(router: Router, command: str, arguments: argparse.Namespace) -> None:
    match command:
        case "start":
            router.start()
        case "stop":
            router.stop()
        case "reboot":
            router.reboot()
        case "silence":
            (router.silence if arguments.switch == "on" else router.unsilence)()
        case "announcements":
            passing = arguments.switch == "on"
            (router.pass_announcements if passing else router.drop_announcements)()
        case "nat-pmp-only":
            router.nat_pmp_only(arguments.switch == "on")
        case "dhcp":
            dhcp = DhcpServer(router.network)
            (dhcp.start if arguments.switch == "on" else dhcp.stop)()
        case "loss":
            router.loss(arguments.percent)
        case "address":
            router.change_external_address(arguments.address)


def _options(words: list[str]) -> Options:
    """Read KEY=VALUE; the value is JSON: true, 120, ["allow ..."]."""
    options = dict(word.partition("=")[::2] for word in words)
    if unknown := set(options) - set(DEFAULTS):
        raise SystemExit(
            f"unknown: {', '.join(unknown)}; there are {', '.join(DEFAULTS)}"
        )
    return cast("Options", {key: json.loads(value) for key, value in options.items()})


def _status(network: Network) -> str:
    router = Router(network)
    running = f"up {router.uptime:.0f} s" if router.is_running else "stopped"
    places: list[Place] = ["lan", "nas", "wan"]
    return "\n".join(
        [
            f"router {network.address('router')}, {network.external_address}: {running}",
            *(f"{place} {network.address(place)}" for place in places),
            f"faults: {', '.join(router.faults()) or 'none'}",
            f"dhcp: {'on' if DhcpServer(network).is_running else 'off'}",
            *(
                f"{mapping.protocol} {mapping.external_port} -> "
                f"{mapping.internal_address} {mapping.internal_port}"
                for mapping in router.mappings()
            ),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up").add_argument("options", nargs="*")
    commands.add_parser("down").add_argument("--left-over", action="store_true")
    run = commands.add_parser("run")
    run.add_argument("place", choices=PLACES)
    run.add_argument("words", nargs=argparse.REMAINDER)
    for name in ("status", "start", "stop", "reboot"):
        commands.add_parser(name)
    for name in ("silence", "announcements", "nat-pmp-only", "dhcp"):
        commands.add_parser(name).add_argument("switch", choices=("on", "off"))
    commands.add_parser("loss").add_argument("percent", type=float)
    commands.add_parser("address").add_argument("address")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
