"""Doors that open and close when they are told to, and what cannot be opened."""

import http.client

import pytest

from tests.real_ha import ApiError

from .home import Home
from .network import EXTERNAL_ADDRESS
from .router import Router
from .waiting import wait_until
from .watching import ports

SERVICE = 8443


def test_add_open_close_by_action(home: Home, router: Router) -> None:
    """A forward that is added is open; its switch closes it and opens it again."""
    home.listen(SERVICE)
    assert not home.passes(SERVICE)
    door = home.add("Web", SERVICE)
    assert home.passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")
    assert door.external_address == f"{EXTERNAL_ADDRESS}:{SERVICE}"
    assert 3500 < door.expires_in < 3602

    door.turn("off")
    assert not home.passes(SERVICE)
    assert (door.switch, door.status) == ("off", "closed")
    assert (door.external_address, door.state("expires_at")) == ("unknown", "unknown")
    assert router.mappings() == []

    door.turn("on")
    assert home.passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")


def test_add_by_flow(home: Home, router: Router) -> None:
    """The form opens what it defines; removing the forward closes it."""
    home.listen(SERVICE)
    door = home.add_by_flow("Web", SERVICE)
    assert home.passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")
    home.api.delete_subentry(home.entry_id, door.forward_id)
    home.wait_until_shut(SERVICE)
    assert router.mappings() == []


def test_home_assistant_itself(home: Home) -> None:
    """The commonest forward: Home Assistant is reached from outside."""
    home.add("Home Assistant", 8123, external_port=18123)
    with home.network.inside("wan"):
        connection = http.client.HTTPConnection(EXTERNAL_ADDRESS, 18123, timeout=5)
        connection.request("GET", "/manifest.json")
        assert connection.getresponse().status == 200
        connection.close()


def test_udp(home: Home) -> None:
    """A UDP forward passes datagrams, and no TCP."""
    home.listen(SERVICE)
    home.listen(SERVICE, protocol="udp")
    door = home.add("VPN", SERVICE, protocol="udp")
    assert home.passes(SERVICE, protocol="udp")
    assert not home.passes(SERVICE)
    door.turn("off")
    assert not home.passes(SERVICE, protocol="udp")


def test_both_protocols(home: Home, router: Router) -> None:
    """tcp_udp is two mappings and one switch."""
    home.listen(SERVICE)
    home.listen(SERVICE, protocol="udp")
    door = home.add("Both", SERVICE, protocol="tcp_udp")
    assert home.passes(SERVICE)
    assert home.passes(SERVICE, protocol="udp")
    assert [m["protocol"] for m in door.response()["mappings"]] == ["tcp", "udp"]
    door.turn("off")
    assert door.status == "closed"
    assert router.mappings() == []


def test_port_range(home: Home, router: Router) -> None:
    """port_count opens consecutive ports, and no other."""
    listened = range(9000, 9005)
    for port_number in listened:
        home.listen(port_number)
    door = home.add("Range", 9000, port_count=4, external_port=19000)
    assert [home.passes(10000 + number) for number in listened] == [True] * 4 + [False]
    assert door.status == "open"
    door.turn("off")
    assert router.mappings() == []


def test_a_hundred_ports(home: Home, router: Router) -> None:
    """A large range opens and closes as a small one does."""
    home.listen(9099)
    door = home.add("Range", 9000, port_count=100)
    assert home.passes(9099)
    assert (door.status, len(router.mappings())) == ("open", 100)
    door.turn("off")
    door.wait_for("closed")
    assert router.mappings() == []


def test_other_external_port(home: Home, router: Router) -> None:
    """The external port may differ from the internal one."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, external_port=40443)
    assert home.passes(40443)
    assert not home.passes(SERVICE)
    assert door.external_address == f"{EXTERNAL_ADDRESS}:40443"
    assert ports(router.mappings()) == [("tcp", 40443, SERVICE)]


def test_denied_port_is_moved(home: Home) -> None:
    """A port that the router's rules deny becomes another, which is shown."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, external_port=80)
    assert door.external_port >= 1024
    assert home.passes(door.external_port)


def test_denied_exact_port(home: Home, router: Router) -> None:
    """A port that the router's rules deny is an error when it must be that one."""
    key = home.refusal("Web", SERVICE, external_port=80, exact_external_port=True)
    assert key in ("cannot_provide_external", "external_port_taken")
    assert home.doors() == []
    assert router.mappings() == []


def test_taken_exact_port(home: Home, router: Router) -> None:
    """Granted, but another port: an error, and that port is given back."""
    home.add("First", SERVICE)
    key = home.refusal("Second", 8444, external_port=SERVICE, exact_external_port=True)
    assert key == "external_port_taken"
    assert [each["name"] for each in home.doors()] == ["First"]
    assert ports(router.mappings()) == [("tcp", SERVICE, SERVICE)]

    errors = home.form_errors(
        "Second", 8444, external_port=SERVICE, exact_external_port=True
    )
    assert errors == {"advanced": "external_port_taken"}
    assert ports(router.mappings()) == [("tcp", SERVICE, SERVICE)]


def test_taken_port_is_moved(home: Home) -> None:
    """A port that is taken becomes another, which is shown."""
    home.listen(8444)
    home.add("First", SERVICE)
    door = home.add("Second", 8444, external_port=SERVICE)
    assert door.external_port != SERVICE
    assert home.passes(door.external_port)


def test_router_refuses_all(home: Home, router: Router) -> None:
    """A router whose rules allow nothing: an error in words, nothing kept."""
    router.configure(permissions=["deny 0-65535 0.0.0.0/0 0-65535"])
    assert home.refusal("Web", SERVICE) == "not_authorized"
    assert home.form_errors("Web", SERVICE) == {"base": "not_authorized"}
    assert home.doors() == []
    assert home.api.subentries(home.entry_id) == []


def test_switch_refused(home: Home, router: Router) -> None:
    """What the router refuses when it is switched on stays off."""
    door = home.add("Web", SERVICE)
    door.turn("off")
    router.configure(permissions=["deny 0-65535 0.0.0.0/0 0-65535"])
    with pytest.raises(ApiError) as refused:
        door.turn("on")
    assert refused.value.translation_key == "not_authorized"
    assert (door.switch, door.status) == ("off", "closed")


def test_overlap(home: Home, router: Router) -> None:
    """What another forward has is refused."""
    home.add("First", SERVICE, port_count=2)
    assert home.refusal("Second", SERVICE + 1) == "overlap"
    assert home.form_errors("Second", SERVICE + 1) == {"internal_port": "overlap"}
    assert len(router.mappings()) == 2


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"internal_port": 5350}, "invalid_external_port"),
        ({"internal_port": 5351}, "invalid_external_port"),
        ({"external_port": 5351}, "invalid_external_port"),
        ({"internal_port": 5340, "port_count": 20}, "invalid_external_port"),
        ({"internal_port": 0}, "invalid_port"),
        ({"internal_port": 65536}, "invalid_port"),
        ({"internal_port": "many"}, "invalid_port"),
        ({"internal_port": 65530, "port_count": 10}, "port_range"),
        ({"port_count": 257}, "invalid_port_count"),
        ({"protocol": "sctp"}, "invalid_protocol"),
        ({"name": " "}, "invalid_name"),
        ({"target_host": "nas"}, "invalid_address"),
        ({"allowed_sources": ["everybody"]}, "invalid_network"),
        ({"duration": 5}, "invalid_duration"),
    ],
)
def test_bad_values(
    home: Home, router: Router, fields: dict[str, object], key: str
) -> None:
    """What cannot be is refused in words, and nothing is asked of the router."""
    values: dict[str, object] = {"name": "Bad", "internal_port": SERVICE} | fields
    name, internal_port = str(values.pop("name")), values.pop("internal_port")
    assert home.refusal(name, internal_port, **values) == key  # type: ignore[arg-type]
    assert home.doors() == []
    assert router.mappings() == []


def test_silent_router(home: Home, router: Router) -> None:
    """Adding a forward to a silent router is an error after 10 s; nothing is kept."""
    router.silence()
    assert home.refusal("Web", SERVICE) == "router_silent"
    assert home.doors() == []
    router.unsilence()
    home.listen(SERVICE)
    home.wait_for_router("binary_sensor", "reachable", "on")
    assert not home.passes(SERVICE)


def test_open_for_a_while(home: Home) -> None:
    """A forward that is opened for a while closes by itself, and stays."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    door.turn("off")
    door.open_for(10)
    assert home.passes(SERVICE)
    assert door.state("closes_at") != "unknown"
    door.wait_for("closed", switch="off")
    assert not home.passes(SERVICE)
    assert door.state("closes_at") == "unknown"


def test_temporary(home: Home, router: Router) -> None:
    """A forward that was added for a while closes and removes itself."""
    home.listen(SERVICE)
    door = home.add("Guest", SERVICE, duration=10)
    assert home.passes(SERVICE)
    home.wait_until_shut(SERVICE)
    wait_until_gone(home)
    assert home.api.entity_id(f"{door.forward_id}_forward") is None
    assert router.mappings() == []


def test_temporary_closed_by_hand(home: Home) -> None:
    """A forward that was added for a while removes itself when it is switched off."""
    home.add("Guest", SERVICE, duration="01:00:00").turn("off")
    wait_until_gone(home)


def wait_until_gone(home: Home) -> None:
    """Wait until no forward is defined."""
    wait_until(lambda: not home.doors(), "the forward to remove itself")
