"""Knocking at a door from outside: a real connection, and what came back."""

import socket

# Only an open UDP door or a broken one ever waits: a closed TCP port says so at once.
ANSWER_TIMEOUT = 1.0


def knock_tcp(address: str, port: int, request: bytes) -> bytes | None:
    """Send a request, return the first of the answer; None when nobody is there."""
    try:
        with socket.create_connection((address, port), ANSWER_TIMEOUT) as connection:
            connection.sendall(request)
            return connection.recv(65536) or None
    except OSError:
        return None


def knock_udp(address: str, port: int, request: bytes) -> bytes | None:
    """Send a datagram, return the answer; None when there is none in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(ANSWER_TIMEOUT)
        try:
            client.connect((address, port))
            client.send(request)
            return client.recv(65536)
        except OSError:
            return None


def knock_web(address: str, port: int) -> bytes | None:
    """Ask for the web page."""
    request = f"GET / HTTP/1.1\r\nHost: {address}:{port}\r\n\r\n"
    return knock_tcp(address, port, request.encode())
