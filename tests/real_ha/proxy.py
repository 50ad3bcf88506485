"""Carry connections from a Unix socket to a TCP port of this network namespace.

A Unix socket belongs to no network namespace: started inside of one with
`ip netns exec NAME python -m tests.real_ha.proxy SOCKET PORT`, this makes the port
reachable from everywhere on the machine. Ends with the process that started it.
"""

import asyncio
import contextlib
from pathlib import Path
import sys

CHUNK = 65536


async def main(unix_socket: Path, port: int) -> None:
    """Serve until cancelled."""

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_unix_server(connected, unix_socket)
    async with server:
        await wait_for_end_of_input()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends, then end the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def wait_for_end_of_input() -> None:
    """Return when standard input ends, as it does with the process at its other end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
