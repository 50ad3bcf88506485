"""DHCP messages, byte by byte; and any octets are servers or nothing."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
import struct

from hypothesis import given, strategies as st
import pytest

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.dhcp_messages import (
    Servers,
    decode_inform_answer,
    decode_information_answer,
    encode_inform,
    encode_information_request,
)

from .vectors import rows

MAC = bytes.fromhex("02005e007702")
XID = bytes.fromhex("3903f326")
XID_V6 = bytes.fromhex("0a0b0c")
SERVER_ID = rows("""
    0002 000e                # option SERVERID, length
    00010001 3296076e        # DUID-LLT
    0ae7a3206967
""")
CLIENT_ID = rows("""
    0001 000a                # option CLIENTID, length
    0003 0001 02005e007702   # DUID-LL, Ethernet, the address
""")


def test_inform() -> None:
    """RFC 2131 4.4.3, RFC 7291 4.2: a DHCPINFORM that wants option 158 alone."""
    assert encode_inform(
        transaction_id=XID,
        client_address=IPv4Address("192.168.77.2"),
        hardware_address=MAC,
        seconds=1,
    ) == rows(f"""
        01                        # op: request
        01 06 00                  # Ethernet, its address length, hops
        3903f326                  # xid
        0001                      # secs
        0000                      # flags
        c0a84d02                  # ciaddr
        000000000000000000000000  # yiaddr, siaddr, giaddr
        02005e007702              # chaddr
        {"00" * 10}               # its padding
        {"00" * 64}               # sname
        {"00" * 128}              # file
        63825363                  # magic cookie
        35 01 08                  # message type: DHCPINFORM
        37 01 9e                  # parameter request list: 158
        ff                        # end
        {"00" * 53}               # padding to 300 octets
    """)


def test_information_request() -> None:
    """RFC 8415 18.2.6, RFC 7291 3.2: what has to be in it, and option 86."""
    assert encode_information_request(
        transaction_id=XID_V6, hardware_address=MAC, seconds=1
    ) == rows("""
        0b                       # INFORMATION-REQUEST
        0a0b0c                   # transaction id
        0001 000a                # option CLIENTID, length
        0003 0001 02005e007702   # DUID-LL, Ethernet, the address
        0008 0002 0064           # option ELAPSED_TIME: 100 hundredths of a second
        0006 0006                # option ORO, length
        0020 0053 0056           # INFORMATION_REFRESH_TIME, INF_MAX_RT, V6_PCP_SERVER
    """)


def ack(
    options: str,
    *,
    op: str = "02",
    xid: bytes = XID,
    mac: bytes = MAC,
    cookie: str = "63825363",
    message_type: str = "35 01 05",
    sname: str = "",
    file: str = "",
) -> bytes:
    """Return an answer to a DHCPINFORM; options are hex rows."""
    return (
        rows(f"{op} 01 06 00 {xid.hex()} 0000 0000 c0a84d02 {'00' * 12}")
        + mac.ljust(16, b"\0")
        + rows(sname).ljust(64, b"\0")
        + rows(file).ljust(128, b"\0")
        + rows(cookie)
        + rows(message_type)
        + rows(options)
    )


def told(data: bytes) -> Servers | None:
    """Decode an answer to the DHCPINFORM of these tests."""
    return decode_inform_answer(data, transaction_id=XID, hardware_address=MAC)


def servers(*lists: str) -> Servers:
    """Return servers, each by its addresses in one text."""
    return [tuple(map(_address, addresses.split())) for addresses in lists]


def _address(text: str) -> IPAddress:
    return IPv6Address(text) if ":" in text else IPv4Address(text)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("9e 05 04 c0a84d01 ff", ["192.168.77.1"]),
        ("9e 09 08 c0a84d01 c6336401 ff", ["192.168.77.1 198.51.100.1"]),
        ("9e 0a 04 c0a84d01 04 c6336401 ff", ["192.168.77.1", "198.51.100.1"]),
        ("00 00 9e 05 04 c0a84d01 00 36 04 c0a84d01", ["192.168.77.1"]),
        ("36 04 c0a84d01 ff 9e 05 04 c0a84d01", []),
        ("9e 00 ff", []),
        ("ff", []),
        ("", []),
    ],
)
def test_option_158(options: str, expected: list[str]) -> None:
    """RFC 7291 4.1: each list is a server; none is an answer, too."""
    assert told(ack(options)) == servers(*expected)


@pytest.mark.parametrize(
    "option",
    [
        "9e 04 c0a84d01",
        "9e 05 05 c0a84d01",
        "9e 05 08 c0a84d01",
        "9e 06 04 c0a84d01 04",
        "9e 06 05 c0a84d01 01",
        "9e 06 04 c0a84d01 00",
        "9e 01 00",
        "9e 05 04 c0a84d",
        "9e",
    ],
)
def test_option_158_that_is_not_as_it_must_be(option: str) -> None:
    """RFC 7291 4.1: a list length that is not four times something, or too long."""
    assert told(ack(option)) == []


def test_option_158_in_parts() -> None:
    """RFC 3396 7: parts are one option, wherever it was split."""
    parts = "9e 03 08 c0a8   36 04 c0a84d01   9e 01 4d   9e 05 01 c6336401   00 ff"
    assert told(ack(parts)) == servers("192.168.77.1 198.51.100.1")


def test_long_option_158() -> None:
    """RFC 3396 6: more servers than one option can hold."""
    lists = [f"192.0.2.{number}" for number in range(1, 61)]
    value = b"".join(b"\x04" + IPv4Address(address).packed for address in lists)
    option = f"9e ff {value[:255].hex()} 9e {len(value) - 255:02x} {value[255:].hex()}"
    assert told(ack(option)) == servers(*lists)


@pytest.mark.parametrize(
    ("overload", "expected"),
    [
        ("", "192.0.2.1"),
        ("34 01 01", "192.0.2.1 192.0.2.2"),
        ("34 01 02", "192.0.2.1 192.0.2.3"),
        ("34 01 03", "192.0.2.1 192.0.2.2 192.0.2.3"),
        ("34 00", "192.0.2.1"),
    ],
)
def test_option_158_in_other_fields(overload: str, expected: str) -> None:
    """RFC 3396 5: the options field first, then file, then sname, if they hold any."""
    length = 4 * len(expected.split())
    data = ack(
        f"{overload} 9e 05 {length:02x} c0000201 ff",
        file="9e 04 c0000202 ff",
        sname="9e 04 c0000203 ff",
    )
    assert told(data) == servers(expected)


@pytest.mark.parametrize(
    "data",
    [
        ack("9e 05 04 c0a84d01", op="01"),
        ack("9e 05 04 c0a84d01", xid=b"else"),
        ack("9e 05 04 c0a84d01", mac=b"others"),
        ack("9e 05 04 c0a84d01", cookie="63825364"),
        ack("9e 05 04 c0a84d01", message_type="35 01 02"),
        ack("9e 05 04 c0a84d01", message_type="35 01 06"),
        ack("9e 05 04 c0a84d01", message_type="35 00"),
        ack("9e 05 04 c0a84d01", message_type=""),
    ],
)
def test_no_answer_to_the_inform(data: bytes) -> None:
    """RFC 2131 4.4.3: only a DHCPACK with our transaction id and hardware address."""
    assert told(data) is None


def reply(
    *options: str, kind: str = "07", xid: bytes = XID_V6, ids: bytes | None = None
) -> bytes:
    """Return an answer to an INFORMATION-REQUEST; options are hex rows."""
    message = rows(kind) + xid + (CLIENT_ID + SERVER_ID if ids is None else ids)
    return message + b"".join(map(rows, options))


def told_v6(data: bytes) -> Servers | None:
    """Decode an answer to the INFORMATION-REQUEST of these tests."""
    return decode_information_answer(data, transaction_id=XID_V6, hardware_address=MAC)


ADDRESS_1 = "20010db8007700000000000000000001"
ADDRESS_2 = "20010db8007700000000000000000002"
MAPPED = "00000000000000000000ffffc0a84d01"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([f"0056 0010 {ADDRESS_1}"], ["2001:db8:77::1"]),
        (
            [f"0056 0020 {ADDRESS_1} {ADDRESS_2}"],
            ["2001:db8:77::1 2001:db8:77::2"],
        ),
        (
            [f"0056 0010 {ADDRESS_1}", "0020 0004 00000e10", f"0056 0010 {ADDRESS_2}"],
            ["2001:db8:77::1", "2001:db8:77::2"],
        ),
        ([f"0056 0020 {ADDRESS_1} {MAPPED}"], ["2001:db8:77::1 192.168.77.1"]),
        (["0056 0010 fe800000000000000000000000000001"], ["fe80::1"]),
        ([], []),
    ],
)
def test_option_86(options: list[str], expected: list[str]) -> None:
    """RFC 7291 3: each instance is a server; IPv4-mapped addresses are IPv4 ones."""
    assert told_v6(reply(*options)) == servers(*expected)


@pytest.mark.parametrize(
    "option",
    [
        "0056 0000",
        f"0056 000f {ADDRESS_1[2:]}",
        f"0056 0011 {ADDRESS_1} 00",
        f"0056 0011 {ADDRESS_1}",
        f"0056 {ADDRESS_1[:2]}",
    ],
)
def test_option_86_that_is_not_as_it_must_be(option: str) -> None:
    """RFC 7291 3.1: a length that is not sixteen times something, or too long."""
    assert told_v6(reply(option)) == []


@pytest.mark.parametrize(
    "data",
    [
        reply(f"0056 0010 {ADDRESS_1}", kind="02"),
        reply(f"0056 0010 {ADDRESS_1}", kind="0b"),
        reply(f"0056 0010 {ADDRESS_1}", xid=b"old"),
        reply(f"0056 0010 {ADDRESS_1}", ids=CLIENT_ID),
        reply(f"0056 0010 {ADDRESS_1}", ids=SERVER_ID),
        reply(f"0056 0010 {ADDRESS_1}", ids=CLIENT_ID[:-1] + b"\x03" + SERVER_ID),
        b"",
    ],
)
def test_no_answer_to_the_information_request(data: bytes) -> None:
    """RFC 8415 16.10: a Reply with our transaction id, from a server, to us."""
    assert told_v6(data) is None


NOWHERE = ["127.0.0.1", "127.8.9.1", "224.0.0.1", "239.1.2.3", "0.0.0.0"]
NOWHERE_V6 = ["::1", "ff02::1", "ff0e::1234", "::"]


@pytest.mark.parametrize("address", NOWHERE)
def test_useless_address_over_dhcpv4(address: str) -> None:
    """RFC 7291 4.2: multicast and loopback addresses are discarded."""
    useless = IPv4Address(address).packed.hex()
    assert told(ack(f"9e 09 08 {useless} c0a84d01")) == servers("192.168.77.1")
    assert told(ack(f"9e 0a 04 {useless} 04 c0a84d01")) == servers("192.168.77.1")


@pytest.mark.parametrize(
    "address", [*NOWHERE_V6, *(f"::ffff:{address}" for address in NOWHERE)]
)
def test_useless_address_over_dhcpv6(address: str) -> None:
    """RFC 7291 3.2: multicast and loopback addresses are discarded, mapped ones too."""
    useless = IPv6Address(address).packed.hex()
    expected = servers("2001:db8:77::1")
    assert told_v6(reply(f"0056 0020 {useless} {ADDRESS_1}")) == expected
    assert told_v6(reply(f"0056 0010 {useless}", f"0056 0010 {ADDRESS_1}")) == expected


WHOLE = [
    (told, ack("9e 0a 04 c0a84d01 04 c6336401 ff", file="9e 04 c0000202")),
    (told, ack("34 01 03 9e 05 0c c0a84d01", file="9e 04 c0000202", sname="9e 04")),
    (told_v6, reply(f"0056 0010 {ADDRESS_1}", f"0056 0020 {ADDRESS_1} {MAPPED}")),
]


@pytest.mark.parametrize(("decode", "data"), WHOLE)
def test_truncated(decode: Callable[[bytes], Servers | None], data: bytes) -> None:
    """Cut off anywhere, an answer names no server that it does not name as a whole."""
    whole = decode(data)
    for length in range(len(data)):
        assert all(server in (whole or []) for server in decode(data[:length]) or [])


@given(st.binary(max_size=600))
def test_any_octets(data: bytes) -> None:
    """Any octets are servers or nothing, never an exception."""
    for decode in (told, told_v6):
        assert decode(data) is None or decode(data) == []


@given(
    st.binary(max_size=300),
    st.binary(max_size=64),
    st.binary(max_size=128),
    st.integers(0, 3),
)
def test_any_options_of_dhcpv4(
    options: bytes, sname: bytes, file: bytes, overload: int
) -> None:
    """Behind the right header any octets are servers or nothing."""
    data = ack(
        f"34 01 {overload:02x} 9e 02 04 c0 {options.hex()}",
        sname=sname.hex(),
        file=file.hex(),
    )
    for addresses in told(data) or []:
        assert addresses
        assert all(isinstance(address, IPv4Address) for address in addresses)


@given(st.lists(st.tuples(st.sampled_from((1, 2, 13, 86)), st.binary(max_size=70))))
def test_any_options_of_dhcpv6(options: list[tuple[int, bytes]]) -> None:
    """Behind the right header any options are servers or nothing."""
    encoded = (struct.pack("!HH", code, len(value)) + value for code, value in options)
    data = reply() + b"".join(encoded)
    for addresses in told_v6(data) or []:
        assert addresses


ADDRESSES = st.ip_addresses(v=4, network="192.0.2.0/24")
ADDRESSES_V6 = st.ip_addresses(v=6, network="2001:db8::/32") | ADDRESSES


@given(
    st.lists(st.lists(ADDRESSES, min_size=1, max_size=20), max_size=20),
    st.lists(st.integers(1, 255), min_size=1),
)
def test_named_servers_come_back(
    named: list[list[IPv4Address]], lengths: list[int]
) -> None:
    """RFC 7291 4.1, RFC 3396 6: whatever was named, in parts of whatever length."""
    value = b"".join(
        bytes((4 * len(server),)) + b"".join(address.packed for address in server)
        for server in named
    )
    options = b""
    while value:
        length = lengths[len(options) % len(lengths)]
        part, value = value[:length], value[length:]
        options += bytes((158, len(part))) + part
    assert told(ack(options.hex())) == [tuple(server) for server in named]


@given(st.lists(st.lists(ADDRESSES_V6, min_size=1, max_size=20), max_size=20))
def test_named_servers_come_back_over_dhcpv6(named: list[list[IPAddress]]) -> None:
    """RFC 7291 3.1: each server in an option of its own."""
    options = []
    for server in named:
        packed = b"".join(
            address.packed
            if isinstance(address, IPv6Address)
            else bytes(10) + b"\xff\xff" + address.packed
            for address in server
        )
        options.append(f"0056 {len(packed):04x} {packed.hex()}")
    assert told_v6(reply(*options)) == [tuple(server) for server in named]
