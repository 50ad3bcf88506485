"""What a forward may be, and the mappings that it needs."""

from collections.abc import Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.mapping import MappingKey, Protocol
from custom_components.pcp.fields import MAX_ALLOWED_SOURCES, MAX_NAME_LENGTH, as_name
from custom_components.pcp.forward import (
    Forward,
    ForwardError,
    ForwardProtocol,
    IPVersion,
    WantedMapping,
    check_overlap,
)

OWN: dict[int, IPAddress] = {
    4: IPv4Address("192.0.2.2"),
    6: IPv6Address("2001:db8::2"),
}
OTHER_HOST = IPv4Address("192.0.2.9")


def forward(**data: Any) -> Forward:
    """Return a forward of these data."""
    return Forward.parse({"name": "Game", "internal_port": 8123} | data)


def error_of(**data: Any) -> tuple[str, str]:
    """Return key and field of the error that these data are."""
    with pytest.raises(ForwardError) as caught:
        forward(**data)
    return caught.value.key, caught.value.field


def test_name_and_port_are_enough() -> None:
    """The contract's defaults."""
    assert forward() == Forward(
        name="Game",
        protocol=ForwardProtocol.TCP,
        internal_port=8123,
        external_port=None,
        exact_external_port=False,
        target_host=None,
        ip_version=IPVersion.IPV4,
        port_count=1,
        allowed_sources=(),
        temporary=False,
    )


@pytest.mark.parametrize(
    "field",
    [
        "protocol",
        "external_port",
        "exact_external_port",
        "target_host",
        "ip_version",
        "port_count",
        "allowed_sources",
        "temporary",
    ],
)
def test_none_is_the_default(field: str) -> None:
    """An action's missing field may come as None."""
    assert forward(**{field: None}) == forward()


@pytest.mark.parametrize("field", ["external_port", "target_host", "allowed_sources"])
def test_an_empty_text_is_the_default(field: str) -> None:
    """A form's empty field may come as an empty text."""
    assert forward(**{field: ""}) == forward()


@pytest.mark.parametrize(
    "name",
    [
        None,
        5,
        "",
        "  ",
        "two\nlines",
        "bell\a",
        "\N{RIGHT-TO-LEFT OVERRIDE}nam",
        "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}\N{WORD JOINER}",
        "\N{IDEOGRAPHIC SPACE}",
        "x" * (MAX_NAME_LENGTH + 1),
    ],
)
def test_a_name_is_one_line_of_text(name: object) -> None:
    """A name has 1 to 100 characters that can be seen."""
    assert error_of(name=name) == ("invalid_name", "name")


@pytest.mark.parametrize("name", ["\N{VIDEO GAME}", "خادم", "<b>", "{{ 1 }}", "-1"])
def test_an_odd_name_is_a_name(name: str) -> None:
    """Whatever can be seen on one line."""
    assert forward(name=name).name == name


def test_a_name_is_stripped() -> None:
    """Blanks around a name are no part of it."""
    assert forward(name=" Game ").name == "Game"
    assert forward(name="é" * MAX_NAME_LENGTH).name == "é" * MAX_NAME_LENGTH
    assert forward(name="a\N{NO-BREAK SPACE}b").name == "a b"
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    assert forward(name=family).name == family


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (" Game ", "Game"),
        ("two\nlines", "two lines"),
        ("", "Forward"),
        ("\N{ZERO WIDTH SPACE}", "Forward"),
        ("x" * 200, "x" * MAX_NAME_LENGTH),
    ],
)
def test_any_title_is_a_name(title: str, name: str) -> None:
    """Home Assistant lets titles through that no form of ours would take."""
    assert as_name(title) == name
    assert forward(name=as_name(title)).name == name


@pytest.mark.parametrize("port", [1, 65535, 80.0, "80", " 080 "])
def test_ports_are_whole_numbers(port: object) -> None:
    """Numbers from forms are floats, those from templates are text."""
    assert forward(internal_port=port).internal_port == int(float(str(port)))


@pytest.mark.parametrize(
    "port",
    [
        None,
        0,
        -1,
        65536,
        80.5,
        float("nan"),
        float("inf"),
        True,
        "",
        "x",
        "٨",
        "9" * 99,
    ],
)
def test_what_is_no_port(port: object) -> None:
    """Ports are 1 to 65535."""
    assert error_of(internal_port=port) == ("invalid_port", "internal_port")


@pytest.mark.parametrize("port", [0, 65536, 1.5, "x", [80]])
def test_what_is_no_external_port(port: object) -> None:
    """The external port has a text of its own."""
    assert error_of(external_port=port) == ("invalid_external_port", "external_port")


@pytest.mark.parametrize("port", [5350, 5351])
def test_the_protocols_own_ports_stay_closed(port: int) -> None:
    """RFC 6887 19.1: also where they are only suggested, or in a range."""
    expected = ("invalid_external_port", "external_port")
    assert error_of(external_port=port) == expected
    assert error_of(internal_port=port) == expected
    assert error_of(internal_port=80, external_port=port - 9, port_count=10) == expected
    assert forward(internal_port=port, external_port=80).first_external_port == 80


@pytest.mark.parametrize("count", [0, -1, 257, 1.5, "x", True])
def test_what_is_no_port_count(count: object) -> None:
    """A range has 1 to 256 ports."""
    assert error_of(port_count=count) == ("invalid_port_count", "port_count")


def test_a_range_ends_with_the_port_space() -> None:
    """Neither internal nor external ports go past 65535."""
    assert forward(internal_port=65280, port_count=256).mapping_count == 256
    assert error_of(internal_port=65281, port_count=256) == (
        "port_range",
        "port_count",
    )
    assert error_of(external_port=65535, port_count=2) == (
        "port_range",
        "external_port",
    )


@pytest.mark.parametrize("value", [True, "True", " on ", "yes", "1"])
def test_yes(value: object) -> None:
    """Also what templates make of it."""
    assert forward(exact_external_port=value).exact_external_port


@pytest.mark.parametrize("value", [None, False, "False", "off", "no", "0"])
def test_no(value: object) -> None:
    """Also what templates make of it, and nothing at all."""
    assert not forward(exact_external_port=value).exact_external_port


@pytest.mark.parametrize("value", ["", "perhaps", 1, 1.0, [True], {}])
def test_neither_yes_nor_no(value: object) -> None:
    """It is asked again."""
    assert error_of(exact_external_port=value) == (
        "invalid_exact_external_port",
        "exact_external_port",
    )


def test_protocols_and_versions_are_chosen_from_a_list() -> None:
    """Anything else is an error at its field."""
    assert error_of(protocol="sctp") == ("invalid_protocol", "protocol")
    assert error_of(ip_version="ipv5") == ("invalid_ip_version", "ip_version")


@pytest.mark.parametrize(
    "address",
    [
        "game.example",
        "192.0.2.0/24",
        "127.0.0.1",
        "224.0.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "255.255.255.255",
        "8.8.8.8",
        "::1",
        "::",
        "ff02::1",
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8::1%eth0",
        "::ffff:192.0.2.9",
        5,
    ],
)
def test_what_is_no_other_host(address: object) -> None:
    """Another host is a unicast address at home, and no name."""
    assert error_of(target_host=address) == ("invalid_address", "target_host")


def test_the_family_of_another_host_decides() -> None:
    """Where no IP version is told, it is the address's; else they must agree."""
    assert forward(target_host=" 192.0.2.9 ").ip_version is IPVersion.IPV4
    assert forward(target_host="2001:db8::9").ip_version is IPVersion.IPV6
    # The IPv6 addresses of a home are of the Internet, too.
    assert forward(target_host="2606:4700::9").ip_version is IPVersion.IPV6
    assert forward(target_host="2001:db8::9", ip_version="ipv6").target_host
    assert error_of(target_host="2001:db8::9", ip_version="ipv4") == (
        "family_mismatch",
        "ip_version",
    )
    assert error_of(target_host="192.0.2.9", ip_version="both") == (
        "both_with_target",
        "ip_version",
    )


def test_allowed_sources_are_networks() -> None:
    """Text or a list; a network may be told by any address in it, once is enough."""
    expected = (IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.7/32"))
    assert forward(allowed_sources="198.51.100.9/24, 203.0.113.7").allowed_sources == (
        expected
    )
    networks = ["198.51.100.0/24", " ", "203.0.113.7", "198.51.100.1/24"]
    assert forward(allowed_sources=networks).allowed_sources == expected


@pytest.mark.parametrize(
    "sources", ["x", ["198.51.100.0/33"], 5, {"a": 1}, ["::ffff:198.51.100.0/120"]]
)
def test_what_are_no_networks(sources: object) -> None:
    """Every one of them must be a network."""
    assert error_of(allowed_sources=sources) == ("invalid_network", "allowed_sources")


def test_there_are_not_too_many_networks() -> None:
    """At most 32."""
    networks = [f"198.51.100.{number}" for number in range(MAX_ALLOWED_SOURCES + 1)]
    assert len(forward(allowed_sources=networks[1:]).allowed_sources) == 32
    assert error_of(allowed_sources=networks) == ("too_many_sources", "allowed_sources")


@pytest.mark.parametrize(
    ("ip_version", "sources"),
    [
        ("ipv4", ["2001:db8::/32"]),
        ("ipv6", ["198.51.100.0/24"]),
        ("both", ["198.51.100.0/24"]),
        ("both", ["2001:db8::/32"]),
    ],
)
def test_sources_leave_no_version_without_any(
    ip_version: str, sources: list[str]
) -> None:
    """A mapping without a filter would admit everybody, against what was asked for."""
    assert error_of(ip_version=ip_version, allowed_sources=sources) == (
        "family_mismatch",
        "allowed_sources",
    )


def mappings_of(
    it: Forward, internal_addresses: Mapping[int, IPAddress]
) -> list[WantedMapping]:
    """Return all mappings that a forward needs."""
    return [
        mapping
        for place in it.places()
        for mapping in it.mappings_at(place, internal_addresses)
    ]


def test_a_mapping_has_the_sources_of_its_version() -> None:
    """RFC 6887 13.3: a filter is of the mapping's family."""
    sources = ["198.51.100.0/24", "2001:db8::/32"]
    v4, v6 = mappings_of(forward(ip_version="both", allowed_sources=sources), OWN)
    assert v4.allowed_sources == (IPv4Network("198.51.100.0/24"),)
    assert v6.allowed_sources == (IPv6Network("2001:db8::/32"),)
    (v4,) = mappings_of(forward(allowed_sources=sources), OWN)
    assert v4.allowed_sources == (IPv4Network("198.51.100.0/24"),)


def test_mappings_come_in_order() -> None:
    """TCP before UDP, low ports first, IPv4 before IPv6."""
    both = forward(
        protocol="tcp_udp", ip_version="both", port_count=2, external_port=9000
    )
    mappings = mappings_of(both, OWN)
    assert both.mapping_count == len(mappings) == 8
    assert [mapping.key for mapping in mappings] == [
        MappingKey(
            internal_address=OWN[version], protocol=protocol, internal_port=port_number
        )
        for protocol in (Protocol.TCP, Protocol.UDP)
        for port_number in (8123, 8124)
        for version in (4, 6)
    ]
    assert [mapping.suggested_external_port for mapping in mappings] == [
        *([9000] * 2),
        *([9001] * 2),
    ] * 2


def test_a_version_without_an_address_has_no_mappings() -> None:
    """They come when the address is known."""
    both = forward(ip_version="both")
    assert [m.key.internal_address for m in mappings_of(both, {4: OWN[4]})] == [OWN[4]]
    assert mappings_of(both, {}) == []


def test_another_host_is_the_internal_address() -> None:
    """It needs no address of our own, and is told to be a third party."""
    (mapping,) = mappings_of(forward(target_host=str(OTHER_HOST)), {})
    assert mapping.key.internal_address == OTHER_HOST
    assert mapping.third_party
    assert not mappings_of(forward(), OWN)[0].third_party


def test_no_mappings_elsewhere() -> None:
    """A place is a protocol and an internal port."""
    both = forward(protocol="tcp_udp", ip_version="both", port_count=3)
    assert both.mappings_at((Protocol.TCP, 8126), OWN) == ()
    assert forward().mappings_at((Protocol.UDP, 8123), OWN) == ()


def key(
    address: str = "192.0.2.2",
    protocol: Protocol = Protocol.TCP,
    internal_port: int = 8123,
) -> MappingKey:
    """Return the name of a mapping."""
    return MappingKey(
        internal_address=ip_address(address),
        protocol=protocol,
        internal_port=internal_port,
    )


def test_a_forward_covers_its_mappings_at_whatever_own_address() -> None:
    """A mapping of an address that we had is still this forward's to close."""
    own = forward(port_count=2)
    assert own.covers(key(), third_party=False)
    assert own.covers(key("192.0.2.77", internal_port=8124), third_party=False)
    assert not own.covers(key(), third_party=True)
    assert not own.covers(key(internal_port=8125), third_party=False)
    assert not own.covers(key(protocol=Protocol.UDP), third_party=False)
    assert not own.covers(key("2001:db8::2"), third_party=False)


def test_a_forward_to_another_host_covers_that_host_only() -> None:
    """Two forwards may lead to the same port of different hosts."""
    other = forward(target_host=str(OTHER_HOST))
    assert other.covers(key(str(OTHER_HOST)), third_party=True)
    assert not other.covers(key("192.0.2.10"), third_party=True)
    assert not other.covers(key(str(OTHER_HOST)), third_party=False)


@pytest.mark.parametrize(
    ("data", "overlaps"),
    [
        ({}, True),
        ({"internal_port": 8122, "port_count": 2}, True),
        ({"internal_port": 8124}, False),
        ({"internal_port": 8121, "port_count": 2}, False),
        ({"protocol": "udp"}, False),
        ({"protocol": "tcp_udp"}, True),
        ({"ip_version": "ipv6"}, False),
        ({"ip_version": "both"}, True),
        ({"target_host": "192.0.2.9"}, False),
    ],
)
def test_what_overlaps(data: dict[str, Any], overlaps: bool) -> None:
    """Two forwards may not need the same mapping."""
    new = forward(**data)
    assert new.overlaps(forward()) is forward().overlaps(new) is overlaps
    if overlaps:
        with pytest.raises(ForwardError) as caught:
            check_overlap(new, [forward(internal_port=1), forward(name="First")])
        assert (caught.value.key, caught.value.field) == ("overlap", "internal_port")
        assert caught.value.placeholders == {"forward": "First"}
    else:
        check_overlap(new, [forward()])


ports = st.integers(1, 65535)
networks = st.lists(st.ip_addresses().map(ip_network), max_size=4)
definitions = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=20), "internal_port": ports},
    optional={
        "protocol": st.sampled_from([*ForwardProtocol]),
        "external_port": ports,
        "exact_external_port": st.booleans(),
        "target_host": st.ip_addresses().map(str),
        "ip_version": st.sampled_from([*IPVersion]),
        "port_count": st.integers(1, 256),
        "allowed_sources": networks.map(lambda found: [str(it) for it in found]),
        "temporary": st.booleans(),
    },
)


def parsed(data: dict[str, Any]) -> Forward | None:
    """Return the forward of some data, None where they are none."""
    try:
        return Forward.parse(data)
    except ForwardError:
        return None


@given(definitions)
def test_what_is_stored_is_the_same_forward(data: dict[str, Any]) -> None:
    """A subentry gives back the forward that it was made from."""
    if found := parsed(data):
        assert Forward.parse({"name": found.name, **found.as_data()}) == found


@given(definitions, definitions)
def test_forwards_overlap_where_they_share_a_mapping(
    data: dict[str, Any], other: dict[str, Any]
) -> None:
    """What is said of ranges is true of every single mapping."""
    one, two = parsed(data), parsed({**data, **other, "target_host": None})
    if one is None or two is None or one.target_host is not None:
        return
    shared = {it.key for it in mappings_of(one, OWN)} & {
        it.key for it in mappings_of(two, OWN)
    }
    assert one.overlaps(two) is bool(shared)


@given(
    st.dictionaries(
        st.sampled_from([*Forward.__dataclass_fields__]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | networks,
    )
)
def test_anything_is_a_forward_or_an_error(data: dict[str, Any]) -> None:
    """Whatever comes from outside, nothing but ForwardError is raised."""
    found = parsed({"name": "Game", "internal_port": 80} | data)
    assert found is None or 1 <= found.internal_port <= 65535


@pytest.mark.parametrize(
    ("data", "summary"),
    [
        ({}, "TCP 8123"),
        ({"protocol": "tcp_udp", "port_count": 2}, "TCP+UDP 8123-8124"),
        ({"target_host": "192.168.1.20"}, "TCP 8123 → 192.168.1.20"),
        ({"target_host": "2001:db8::2"}, "TCP 8123 → 2001:db8::2"),
        ({"ip_version": "ipv6"}, "TCP 8123 (IPv6)"),
        ({"ip_version": "both"}, "TCP 8123 (IPv4+IPv6)"),
    ],
)
def test_summary(data: dict[str, Any], summary: str) -> None:
    """What a device's page tells of a forward."""
    forward = Forward.parse({"name": "Game", "internal_port": 8123, **data})
    assert forward.summary == summary
