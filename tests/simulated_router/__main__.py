"""Run a simulated router: python -m tests.simulated_router --help.

One line is printed for every door that opens or closes. Lines on stdin, or on the
loopback TCP port given as --control, steer it; `help` tells them.
"""

import argparse
import asyncio
from contextlib import suppress
import os
import signal
import sys

from .control import obey
from .personalities import PERSONALITIES
from .server import SimulatedRouter

_CHUNK = 4096


def main() -> None:
    """Read the command line and serve until told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulated_router",
        description="A PCP and NAT-PMP router on loopback whose doors are real.",
    )
    parser.add_argument("--personality", default="rfc", choices=sorted(PERSONALITIES))
    parser.add_argument("--address", default="127.0.77.1", help="where it is asked")
    parser.add_argument(
        "--ipv6-address", help="where it is asked over IPv6 as well, such as ::1"
    )
    parser.add_argument("--external", default="127.0.99.1", help="its WAN address")
    parser.add_argument(
        "--doors", help="where doors are opened, if not on the WAN address"
    )
    parser.add_argument("--control", type=int, help="loopback TCP port of the control")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    router = SimulatedRouter(
        arguments.address,
        arguments.external,
        arguments.personality,
        ipv6_address=arguments.ipv6_address,
        relay_address=arguments.doors,
        multicast=True,
        mapping_log=_say,
    )
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await router.start()
    except OSError as err:
        raise SystemExit(f"Cannot serve on {arguments.address}: {err}") from err
    _say(
        f"{arguments.personality} at {arguments.address}, outside {arguments.external}"
    )
    control = None
    if arguments.control is not None:
        control = await asyncio.start_server(
            lambda reader, writer: _converse(router, reader, writer),
            "127.0.0.1",
            arguments.control,
        )
    _obey_stdin(router)
    try:
        await ended.wait()
    finally:
        if control is not None:
            control.close()
        await router.stop()


def _obey_stdin(router: SimulatedRouter) -> None:
    """Obey the lines on stdin, where stdin is something to wait for."""
    if sys.stdin is None:
        return
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    rest = b""

    def obey_lines() -> None:
        nonlocal rest
        data = os.read(descriptor, _CHUNK)
        if not data:
            loop.remove_reader(descriptor)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if reply := obey(router, line.decode(errors="replace")):
                _say(reply)

    # A file, or /dev/null, is nothing to wait for.
    with suppress(PermissionError):
        loop.add_reader(descriptor, obey_lines)


async def _converse(
    router: SimulatedRouter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Obey the lines of one control connection."""
    with suppress(OSError):
        async for line in reader:
            reply = obey(router, line.decode(errors="replace"))
            writer.write(f"{reply}\n".encode())
            await writer.drain()
    writer.close()


def _say(line: str) -> None:
    sys.stdout.write(f"router: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
