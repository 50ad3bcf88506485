"""Datagrams as hex rows, one field per row with its name, and the recorded exchanges."""

from dataclasses import dataclass
from pathlib import Path
import re

RECORDED = Path(__file__).parent / "recorded" / "miniupnpd-2.3.1-exchanges.txt"

NONCE = bytes.fromhex("112233445566778899aabbcc")


def rows(text: str) -> bytes:
    """Return the octets of hex rows; a # begins the name of the field."""
    return b"".join(bytes.fromhex(line.partition("#")[0]) for line in text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request to a real server, and its answer or None for silence."""

    number: int
    title: str
    request: bytes
    response: bytes | None


def recorded_exchanges() -> list[Exchange]:
    """Return what miniupnpd 2.3.1 was asked and what it answered."""
    exchanges = []
    for block in re.split(r"^(?=\[\d+\])", RECORDED.read_text(), flags=re.MULTILINE):
        heading = re.match(r"\[(\d+)\] (.*)", block)
        if heading is None:
            continue
        request = re.search(r"^  req  ([0-9a-f]+)$", block, flags=re.MULTILINE)
        response = re.search(r"^  resp ([0-9a-f]+)$", block, flags=re.MULTILINE)
        assert request is not None
        exchanges.append(
            Exchange(
                number=int(heading[1]),
                title=heading[2],
                request=bytes.fromhex(request[1]),
                response=bytes.fromhex(response[1]) if response else None,
            )
        )
    return exchanges


ANNOUNCE_REQUEST = rows("""
    02                                # version
    00                                # R = 0, opcode ANNOUNCE
    0000                              # reserved
    00000000                          # requested lifetime
    00000000000000000000ffffc0a80006  # client address 192.168.0.6
""")

ANNOUNCE_RESPONSE = rows("""
    02                                # version
    80                                # R = 1, opcode ANNOUNCE
    00                                # reserved
    00                                # result code SUCCESS
    00000000                          # lifetime
    00000720                          # epoch time
    000000000000000000000000          # reserved
""")

MAP_REQUEST = rows("""
    02                                # version
    01                                # R = 0, opcode MAP
    0000                              # reserved
    000003e8                          # requested lifetime 1000
    00000000000000000000ffffc0a80006  # client address 192.168.0.6
    112233445566778899aabbcc          # nonce
    06                                # protocol TCP
    000000                            # reserved
    04d2                              # internal port 1234
    04d3                              # suggested external port 1235
    00000000000000000000ffff00000000  # suggested external address, IPv4 all zeros
""")

MAP_RESPONSE = rows("""
    02                                # version
    81                                # R = 1, opcode MAP
    00                                # reserved
    00                                # result code SUCCESS
    000001f4                          # lifetime 500
    0bad1dea                          # epoch time
    000000000000000000000000          # reserved
    112233445566778899aabbcc          # nonce
    06                                # protocol TCP
    000000                            # reserved
    04d2                              # internal port 1234
    04d3                              # assigned external port 1235
    00000000000000000000ffff01020304  # assigned external address 1.2.3.4
""")

MAP_REQUEST_IPV6 = rows("""
    02                                # version
    01                                # R = 0, opcode MAP
    0000                              # reserved
    000003e8                          # requested lifetime 1000
    2a101234567890120000000000009abc  # client address 2a10:1234:5678:9012::9abc
    112233445566778899aabbcc          # nonce
    11                                # protocol UDP
    000000                            # reserved
    04d2                              # internal port 1234
    0000                              # suggested external port: none
    00000000000000000000000000000000  # suggested external address, IPv6 all zeros
""")

PEER_REQUEST = rows("""
    02                                # version
    02                                # R = 0, opcode PEER
    0000                              # reserved
    000003e8                          # requested lifetime 1000
    00000000000000000000ffffc0a80006  # client address 192.168.0.6
    112233445566778899aabbcc          # nonce
    06                                # protocol TCP
    000000                            # reserved
    04d2                              # internal port 1234
    0000                              # suggested external port: none
    00000000000000000000ffff00000000  # suggested external address, IPv4 all zeros
    01bb                              # remote port 443
    0000                              # reserved
    00000000000000000000ffffc6336407  # remote address 198.51.100.7
""")

PEER_RESPONSE = rows("""
    02                                # version
    82                                # R = 1, opcode PEER
    00                                # reserved
    00                                # result code SUCCESS
    000001f4                          # lifetime 500
    0bad1dea                          # epoch time
    000000000000000000000000          # reserved
    112233445566778899aabbcc          # nonce
    06                                # protocol TCP
    000000                            # reserved
    04d2                              # internal port 1234
    04d3                              # assigned external port 1235
    00000000000000000000ffff01020304  # assigned external address 1.2.3.4
    01bb                              # remote port 443
    0000                              # reserved
    00000000000000000000ffffc6336407  # remote address 198.51.100.7
""")

EXTERNAL_ADDRESS_REQUEST = rows("""
    00        # version
    00        # opcode: external address
""")

EXTERNAL_ADDRESS_RESPONSE = rows("""
    00        # version
    80        # opcode 128 + 0
    0000      # result code: success
    66fd6e9c  # epoch time
    01020304  # external address 1.2.3.4
""")

NAT_PMP_MAP_REQUEST = rows("""
    00        # version
    02        # opcode: map TCP
    0000      # reserved
    04d2      # internal port 1234
    04d3      # suggested external port 1235
    000003e8  # requested lifetime 1000
""")

NAT_PMP_MAP_RESPONSE = rows("""
    00        # version
    82        # opcode 128 + 2
    0000      # result code: success
    66fd6ea3  # epoch time
    04d2      # internal port 1234
    04d3      # assigned external port 1235
    000001f4  # lifetime 500
""")
