"""PCP options, both ways, and how malformed ones are met."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from custom_components.pcp.client.codec import (
    DecodeError,
    Description,
    DropReason,
    Filter,
    MapRequest,
    MapResponse,
    Option,
    PortSet,
    PreferFailure,
    Prefix64,
    ResultCode,
    ThirdParty,
    UnknownOption,
    decode_request,
    decode_response,
    encode,
)

from .test_codec_pcp import MAP
from .vectors import MAP_REQUEST, MAP_RESPONSE, rows

OPTIONS: list[tuple[Option, bytes]] = [
    (
        ThirdParty(internal_address=IPv4Address("192.168.77.3")),
        rows("""
            01 00 0010                        # THIRD_PARTY, 16 octets
            00000000000000000000ffffc0a84d03  # internal address
        """),
    ),
    (
        ThirdParty(internal_address=IPv6Address("2001:db8:77::3")),
        rows("""
            01 00 0010                        # THIRD_PARTY, 16 octets
            20010db8007700000000000000000003  # internal address
        """),
    ),
    (
        PreferFailure(),
        rows("""
            02 00 0000                        # PREFER_FAILURE, no octets
        """),
    ),
    (
        Filter(
            prefix_length=120,
            remote_port=443,
            remote_address=IPv4Address("198.51.100.0"),
        ),
        rows("""
            03 00 0014                        # FILTER, 20 octets
            00                                # reserved
            78                                # prefix length 96 + 24
            01bb                              # remote port
            00000000000000000000ffffc6336400  # remote address
        """),
    ),
    (
        Filter(prefix_length=0, remote_address=IPv6Address("::")),
        rows("""
            03 00 0014                        # FILTER, 20 octets
            00                                # reserved
            00                                # prefix length: remove all filters
            0000                              # remote port: all
            00000000000000000000000000000000  # remote address
        """),
    ),
    (
        Description(text="Tür"),
        rows("""
            80 00 0004                        # DESCRIPTION, 4 octets
            54c3bc72                          # UTF-8
        """),
    ),
    (
        Description(text=""),
        rows("""
            80 00 0000                        # DESCRIPTION, erases
        """),
    ),
    (
        Description(text="H"),
        rows("""
            80 00 0001                        # DESCRIPTION, 1 octet
            48 000000                         # UTF-8, padding
        """),
    ),
    (
        Description(text="Ho"),
        rows("""
            80 00 0002                        # DESCRIPTION, 2 octets
            486f 0000                         # UTF-8, padding
        """),
    ),
    (
        Description(text="Hom"),
        rows("""
            80 00 0003                        # DESCRIPTION, 3 octets
            486f6d 00                         # UTF-8, padding
        """),
    ),
    (
        Prefix64(prefix=bytes(12)),
        rows("""
            81 00 000e                        # PREFIX64, 14 octets
            000c                              # prefix length in octets
            000000000000000000000000          # ::/96
            0000                              # padding
        """),
    ),
    (
        Prefix64(prefix=bytes.fromhex("0064ff9b"), suffix=bytes(8), ipv4_prefixes=()),
        rows("""
            81 00 0010                        # PREFIX64, 16 octets
            0004                              # prefix length in octets
            0064ff9b                          # 64:ff9b::/32
            0000000000000000                  # suffix
            0000                              # no IPv4 prefixes
        """),
    ),
    (
        Prefix64(
            prefix=bytes.fromhex("20010db801220344"),
            suffix=bytes.fromhex("00000001"),
            ipv4_prefixes=(
                IPv4Network("192.0.2.0/24"),
                IPv4Network("198.51.100.7/32"),
            ),
        ),
        rows("""
            81 00 001c                        # PREFIX64, 28 octets
            0008                              # prefix length in octets
            20010db801220344                  # 2001:db8:122:344::/64
            00000001                          # suffix
            0002                              # two IPv4 prefixes
            0018 c0000200                     # 192.0.2.0/24
            0020 c6336407                     # 198.51.100.7/32
        """),
    ),
    (
        PortSet(size=16, first_internal_port=8000),
        rows("""
            82 00 0005                        # PORT_SET, 5 octets
            0010                              # size
            1f40                              # first internal port
            00                                # no parity
            000000                            # padding
        """),
    ),
    (
        PortSet(size=65535, first_internal_port=1, parity=True),
        rows("""
            82 00 0005                        # PORT_SET, 5 octets
            ffff                              # size: as many as possible
            0001                              # first internal port
            01                                # parity
            000000                            # padding
        """),
    ),
    (
        UnknownOption(code=200, data=b"abcde"),
        rows("""
            c8 00 0005                        # option 200, 5 octets
            6162636465 000000                 # data, padding
        """),
    ),
    (
        UnknownOption(code=0, data=b""),
        rows("""
            00 00 0000                        # option 0, no octets
        """),
    ),
]

MALFORMED: list[tuple[int, str]] = [
    (1, ""),  # THIRD_PARTY without its address
    (1, "00" * 15),
    (1, "00" * 17),
    (2, "00000000"),  # PREFER_FAILURE with data
    (3, "00" * 19),
    (3, "00" * 21),
    (3, "0081000020010db8000000000000000000000000"),  # FILTER of 129 bits
    (3, "005f000000000000000000000000ffffc6336400"),  # FILTER of 95 bits of IPv4
    (128, "54fc72"),  # DESCRIPTION in Latin-1
    (128, "486f6d6500"),  # DESCRIPTION ending in NUL
    (128, "20" * 1017),  # DESCRIPTION above RFC 7220's limit
    (129, ""),  # PREFIX64 without a prefix
    (129, "000c" + "00" * 11),
    (129, "0009" + "00" * 12),  # PREFIX64 of a length that RFC 7225 does not know
    (129, "000c" + "00" * 12 + "00"),  # half an IPv4 prefix count
    (129, "000c" + "00" * 12 + "0001"),  # one IPv4 prefix, none there
    (129, "000c" + "00" * 12 + "0000" + "0018c0000200"),  # none, one there
    (129, "000c" + "00" * 12 + "0001" + "0021c0000200"),  # 33 bits of IPv4
    (129, "000c" + "00" * 12 + "0001" + "0010c0000200"),  # bits behind the prefix
    (130, "00101f40"),  # PORT_SET without its flags
    (130, "00101f400000"),
    (130, "00001f4000"),  # PORT_SET of no port
]


def wire_option(code: int, data: bytes) -> bytes:
    """Return an option as RFC 6887 7.3 draws it."""
    return bytes([code, 0]) + len(data).to_bytes(2) + data + bytes(-len(data) % 4)


def answer_with(octets: bytes) -> MapResponse:
    """Decode a MAP answer with these octets behind it."""
    message = decode_response(MAP_RESPONSE + octets)
    assert isinstance(message, MapResponse)
    return message


def request_with(*options: Option) -> MapRequest:
    """Return a MAP request with these options."""
    return MapRequest(
        client_address=MAP.client_address,
        lifetime=MAP.lifetime,
        nonce=MAP.nonce,
        protocol=MAP.protocol,
        internal_port=MAP.internal_port,
        suggested_external_port=MAP.suggested_external_port,
        suggested_external_address=MAP.suggested_external_address,
        options=options,
    )


@pytest.mark.parametrize(("option", "octets"), OPTIONS)
def test_option_encoded(option: Option, octets: bytes) -> None:
    """7.3: code, reserved, length without padding, data, zeros up to whole words."""
    assert encode(request_with(option)) == MAP_REQUEST + octets


@pytest.mark.parametrize(("option", "octets"), OPTIONS)
def test_option_decoded_from_a_request(option: Option, octets: bytes) -> None:
    """7.3: each option is found in a request."""
    assert decode_request(MAP_REQUEST + octets) == request_with(option)


@pytest.mark.parametrize(("option", "octets"), OPTIONS)
def test_option_decoded_from_a_response(option: Option, octets: bytes) -> None:
    """7.3: each option is found in a response, whether or not it was asked for."""
    assert answer_with(octets).options == (option,)


def test_options_in_a_row() -> None:
    """7.3: padding leads from each option to the next."""
    octets = b"".join(octets for _, octets in OPTIONS)
    assert answer_with(octets).options == tuple(option for option, _ in OPTIONS)


def test_repeated_options_are_all_told() -> None:
    """13: an option that may stand once stands twice: both are seen, in order."""
    octets = wire_option(2, b"") * 2
    assert answer_with(octets).options == (PreferFailure(), PreferFailure())


@pytest.mark.parametrize(("code", "data"), MALFORMED)
def test_malformed_option_in_a_response(code: int, data: str) -> None:
    """7.3: a client does not stumble over an option that it cannot read."""
    octets = wire_option(code, bytes.fromhex(data))
    message = answer_with(octets)
    assert message.options == (UnknownOption(code=code, data=bytes.fromhex(data)),)
    assert encode(message) == MAP_RESPONSE + octets


@pytest.mark.parametrize(("code", "data"), MALFORMED)
def test_malformed_option_in_a_request(code: int, data: str) -> None:
    """7.4: a server can tell a malformed option from an unknown one."""
    with pytest.raises(DecodeError) as error:
        decode_request(MAP_REQUEST + wire_option(code, bytes.fromhex(data)))
    assert error.value.reason is DropReason.OPTION


@pytest.mark.parametrize("code", [*range(4, 14), 100, 127, 131, 200, 255])
def test_unknown_option_is_kept(code: int) -> None:
    """7.3: an unknown option is no error, in the mandatory range neither."""
    octets = wire_option(code, b"abcd")
    assert answer_with(octets).options == (UnknownOption(code=code, data=b"abcd"),)


@pytest.mark.parametrize("length", range(1, 24))
def test_option_cut_off(length: int) -> None:
    """7.3: an option cut off anywhere is never half believed."""
    octets = OPTIONS[0][1]
    if length == 20:
        assert answer_with(octets).options == (OPTIONS[0][0],)
        return
    cut = (octets + octets)[:length]
    with pytest.raises(DecodeError) as error:
        decode_response(MAP_RESPONSE + cut)
    reason = DropReason.LENGTH if length % 4 else DropReason.OPTION
    assert error.value.reason is reason


def test_option_header_reserved_octet_and_padding_are_ignored() -> None:
    """7.3: reserved is ignored on receipt, and so is what fills the last word."""
    octets = bytes.fromhex("80ff0003486f6dff")
    assert answer_with(octets).options == (Description(text="Hom"),)


def test_port_set_reserved_bits_are_ignored() -> None:
    """RFC 7753 4: only the lowest bit of the flags says anything."""
    octets = wire_option(130, bytes.fromhex("00101f40fe"))
    option = PortSet(size=16, first_internal_port=8000)
    assert answer_with(octets).options == (option,)


@pytest.mark.parametrize(
    ("network", "prefix_length"),
    [
        (IPv4Network("0.0.0.0/0"), 96),
        (IPv4Network("198.51.100.0/24"), 120),
        (IPv4Network("198.51.100.7/32"), 128),
        (IPv6Network("2001:db8::/32"), 32),
        (IPv6Network("2001:db8::7/128"), 128),
    ],
)
def test_filter_of_a_network(
    network: IPv4Network | IPv6Network, prefix_length: int
) -> None:
    """13.3: an IPv4 prefix counts from 96."""
    option = Filter.from_network(network, remote_port=443)
    assert option == Filter(
        prefix_length=prefix_length,
        remote_port=443,
        remote_address=network.network_address,
    )
    assert option.network == network


def test_filter_of_all_ipv6_removes_filters() -> None:
    """13.3: ::/0 is prefix length 0, which removes all filters: anyone, too."""
    option = Filter.from_network(IPv6Network("::/0"))
    assert option == Filter(prefix_length=0, remote_address=IPv6Address("::"))
    assert option.network is None


@pytest.mark.parametrize(
    ("address", "prefix_length", "network"),
    [
        ("198.51.100.7", 120, IPv4Network("198.51.100.0/24")),
        ("2001:db8::7", 32, IPv6Network("2001:db8::/32")),
    ],
)
def test_filter_network_of_a_host_address(
    address: str, prefix_length: int, network: IPv4Network | IPv6Network
) -> None:
    """13.3: bits behind the prefix mean nothing."""
    is_ipv4 = "." in address
    remote = IPv4Address(address) if is_ipv4 else IPv6Address(address)
    option = Filter(prefix_length=prefix_length, remote_address=remote)
    assert option.network == network


@pytest.mark.parametrize(
    ("text", "padded"),
    [
        ("", ""),
        ("H", "H   "),
        ("Ho", "Ho  "),
        ("Hom", "Hom "),
        ("Home", "Home"),
        ("Tür", "Tür"),
        ("Türe", "Türe   "),
    ],
)
def test_padded_description(text: str, padded: str) -> None:
    """RFC 7220: octets are counted, not letters, for servers that miscount padding."""
    option = Description.padded(text)
    assert option == Description(text=padded)
    assert len(padded.encode()) % 4 == 0


@pytest.mark.parametrize(
    ("prefix", "network"),
    [
        ("0064ff9b", "64:ff9b::/32"),
        ("20010db801", "2001:db8:100::/40"),
        ("20010db80122", "2001:db8:122::/48"),
        ("20010db8012203", "2001:db8:122:300::/56"),
        ("20010db801220344", "2001:db8:122:344::/64"),
        ("0064ff9b0000000000000000", "64:ff9b::/96"),
    ],
)
def test_prefix64_network(prefix: str, network: str) -> None:
    """RFC 7225 4.1: six lengths of prefix, each a network."""
    octets = bytes.fromhex(prefix)
    option = Prefix64(prefix=octets, suffix=bytes(12 - len(octets)))
    assert option.network == IPv6Network(network)
    assert decode_request(encode(request_with(option))) == request_with(option)


def test_prefix64_asks_with_nothing_but_zeros() -> None:
    """RFC 7225 4.3: a request says ::/96."""
    assert Prefix64().network == IPv6Network("::/96")


@pytest.mark.parametrize("length", [0, 1, 2, 3, 9, 10, 11, 13, 16])
def test_prefix64_of_no_such_length(length: int) -> None:
    """RFC 7225 4.1: a prefix has one of six lengths, and no other."""
    octets = wire_option(129, length.to_bytes(2) + bytes(12))
    assert isinstance(answer_with(octets).options[0], UnknownOption)
    option = Prefix64(prefix=bytes(length), suffix=bytes(max(12 - length, 0)))
    with pytest.raises(ValueError, match="PREFIX64"):
        encode(request_with(option))


@pytest.mark.parametrize(
    ("address", "prefix_lengths"),
    [
        (IPv4Address("0.0.0.0"), {0, *range(96, 129)}),
        (IPv6Address("::"), set(range(129))),
    ],
)
def test_filter_prefix_lengths(
    address: IPv4Address | IPv6Address, prefix_lengths: set[int]
) -> None:
    """13.3: an IPv4 prefix has 96 to 128 bits, 0 removes filters in either family."""
    template = encode(
        request_with(Filter(prefix_length=128, remote_address=address))
    ).removeprefix(MAP_REQUEST)
    for prefix_length in range(256):
        option = Filter(prefix_length=prefix_length, remote_address=address)
        octets = template[:5] + bytes([prefix_length]) + template[6:]
        if prefix_length in prefix_lengths:
            assert encode(request_with(option)) == MAP_REQUEST + octets
            assert answer_with(octets).options == (option,)
        else:
            with pytest.raises(ValueError, match="FILTER"):
                encode(request_with(option))
            assert isinstance(answer_with(octets).options[0], UnknownOption)


@pytest.mark.parametrize(
    "option",
    [
        Filter(prefix_length=129, remote_address=IPv6Address("::")),
        Filter(prefix_length=-1, remote_address=IPv6Address("::")),
        Filter(prefix_length=95, remote_address=IPv4Address("198.51.100.0")),
        Filter(
            prefix_length=128,
            remote_port=65536,
            remote_address=IPv4Address("198.51.100.7"),
        ),
        Description(text="a" * 1017),
        Description(text="ä" * 509),
        Description(text="a\0"),
        Description(text="\ud800"),
        Prefix64(prefix=bytes(9), suffix=bytes(3)),
        Prefix64(prefix=bytes(8), suffix=bytes(3)),
        Prefix64(prefix=bytes(12), suffix=bytes(1)),
        PortSet(size=0, first_internal_port=1),
        PortSet(size=65536, first_internal_port=1),
        PortSet(size=1, first_internal_port=65536),
        UnknownOption(code=256, data=b""),
        UnknownOption(code=200, data=bytes(65536)),
        UnknownOption(code=200, data=bytes(1037)),
    ],
)
def test_not_expressible(option: Option) -> None:
    """7.3: what an option has no room for is a ValueError, not another option."""
    with pytest.raises(ValueError, match=r"FILTER|DESCRIPTION|PREFIX64|PORT_SET|o"):
        encode(request_with(option))


def test_longest_description() -> None:
    """RFC 7220 3: 1016 octets fit behind a MAP."""
    option = Description(text="a" * 1016)
    data = encode(request_with(option))
    assert len(data) == 60 + 4 + 1016
    assert decode_request(data) == request_with(option)


def test_result_code_makes_no_difference_to_whole_options() -> None:
    """7.3: an error gives back all options, and they are read alike."""
    octets = b"".join(octets for _, octets in OPTIONS)
    data = bytearray(MAP_RESPONSE + octets)
    data[3] = ResultCode.UNSUPP_OPTION
    message = decode_response(bytes(data))
    assert isinstance(message, MapResponse)
    assert message.options == tuple(option for option, _ in OPTIONS)
    assert message.trailing == b""
