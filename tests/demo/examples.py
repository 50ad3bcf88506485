"""Two servers behind the router: python -m tests.demo.examples WEB_PORT GAME_PORT.

The web page is there to be opened in a browser. The game server answers over TCP and
over UDP with what it was told. Both listen on 127.0.0.1 alone.
"""

import asyncio
from contextlib import suppress
import signal
import sys
from typing import Any, override

HOST = "127.0.0.1"
WEB_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Example web page</title>
<style>
  body { font: 1.2rem/1.5 system-ui, sans-serif; max-width: 34rem;
         margin: 20vh auto; padding: 0 1rem; text-align: center; }
</style>
<h1>Example web page</h1>
<p>You came in through the router: this port is open.</p>
<p>Switch “Example web page” off in Home Assistant and reload.</p>
</html>
"""
GAME_ANSWER = b"Example game server heard: "


class GameOverUdp(asyncio.DatagramProtocol):
    """Answers every datagram."""

    transport: asyncio.DatagramTransport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.transport.sendto(GAME_ANSWER + data, addr)


async def serve_page(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one HTTP request with the page, whatever was asked for."""
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        body = WEB_PAGE.encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
    writer.close()


async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every line."""
    with suppress(OSError, ValueError):
        async for line in reader:
            writer.write(GAME_ANSWER + line)
            await writer.drain()
    writer.close()


async def main(web_port: int, game_port: int) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    transport, _ = await loop.create_datagram_endpoint(
        GameOverUdp, local_addr=(HOST, game_port)
    )
    web = await asyncio.start_server(serve_page, HOST, web_port)
    game = await asyncio.start_server(play, HOST, game_port)
    await ended.wait()
    web.close()
    game.close()
    transport.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
