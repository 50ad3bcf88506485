"""Answers for a router that knows NAT-PMP only. Run inside the router's namespace.

RFC 6886 3.5: to a request of another version, 8 octets: version 0, the opcode with
bit 7 set, result 1 (Unsupported Version), and the seconds since the epoch, which are
asked of the real daemon so that both tell the same.

Usage: nat_pmp_responder.py PID_FILE. Returns once the port is open; a child stays.
"""

import os
from pathlib import Path
import socket
import sys

SERVER = "192.168.77.1"
SERVER_PORT = 5351
RESPONDER_PORT = 5361
UNSUPPORTED_VERSION = 1
DAEMON_TIMEOUT = 1.0


def main(pid_file: Path) -> None:
    """Open the port, leave a child to answer, write down its pid."""
    answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answering.bind((SERVER, RESPONDER_PORT))
    pid = os.fork()
    if pid:
        pid_file.write_text(str(pid))
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    while True:
        request, source = answering.recvfrom(2048)
        if (answer := answer_to(request)) is not None:
            answering.sendto(answer, source)


def answer_to(request: bytes) -> bytes | None:
    """Return the 8 octets, or None where silence is right."""
    if len(request) < 2 or request[1] & 0x80:
        return None
    epoch = daemon_epoch()
    if epoch is None:
        return None
    return bytes([0, request[1] | 0x80]) + UNSUPPORTED_VERSION.to_bytes(2) + epoch


def daemon_epoch() -> bytes | None:
    """Ask the daemon for its public address; return the epoch octets it tells."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(DAEMON_TIMEOUT)
        try:
            asking.connect((SERVER, SERVER_PORT))
            asking.send(bytes(2))
            return asking.recv(16)[4:8]
        except OSError:
            return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
