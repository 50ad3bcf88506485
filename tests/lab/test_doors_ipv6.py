"""IPv6 pinholes: opened for the right address, closed, and where that is refused."""

from .door import Door
from .home import Home
from .ipv6 import add_temporary, add_unique_local, lose_addresses, lose_default_router
from .network import (
    EXTERNAL_ADDRESS,
    LAN_ADDRESS,
    LAN_ADDRESS_V6,
    ROUTER_ADDRESS_V6,
    ROUTER_LINK_LOCAL,
)
from .router import Router
from .watching import let_pass

SERVICE = 8443
SCOPED_LINK_LOCAL = f"{ROUTER_LINK_LOCAL}%eth0"
# Seconds; the daemon wants more than min_lifetime.
SHORT_LEASE = 12
# What a lease is cut to on a server that does not delete pinholes.
PINHOLE_LIFETIME = 600


def passes(home: Home, protocol: str = "tcp") -> bool:
    """Tell whether a connection from outside to lan's own address gets an answer."""
    return home.passes(SERVICE, protocol=protocol, address=LAN_ADDRESS_V6)


def test_pinhole(home: Home, router: Router) -> None:
    """8.4: asked from, and opened for, the address that lasts and is global."""
    add_unique_local(home.network)
    temporary = add_temporary(home.network)
    home.listen(SERVICE)
    home.listen(SERVICE, protocol="udp")
    assert not passes(home)
    assert not passes(home, "udp")

    door = home.add("Web", SERVICE, protocol="tcp_udp", ip_version="ipv6")
    assert passes(home)
    assert passes(home, "udp")
    assert not home.passes(SERVICE, address=temporary)
    assert not home.passes(SERVICE)
    assert (door.switch, door.status) == ("on", "open")
    assert door.external_address == f"[{LAN_ADDRESS_V6}]:{SERVICE}"
    assert home.router_state("sensor", "external_ipv6") == LAN_ADDRESS_V6
    assert home.router_state("sensor", "external_ipv4") == EXTERNAL_ADDRESS
    # The default router's next hop is asked, for it is the same device.
    assert home.servers() == {4: "192.168.77.1", 6: SCOPED_LINK_LOCAL}
    assert {m.internal_address for m in router.mappings()} == {LAN_ADDRESS_V6}

    door.turn("off")
    assert not passes(home)
    assert not passes(home, "udp")
    assert (door.switch, door.status, router.mappings()) == ("off", "closed", [])


def assert_shut_or_kept(home: Home, door: Door) -> None:
    """A pinhole that an announcement had renewed is kept by this miniupnpd, and told."""
    assert passes(home) == (door.status == "closing")


def test_both(home: Home, router: Router) -> None:
    """One switch over two doors; what is refused of them leaves the other open."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="both")
    assert (home.passes(SERVICE), passes(home)) == (True, True)
    assert door.status == "open"
    assert [m["ip_version"] for m in door.response()["mappings"]] == ["ipv4", "ipv6"]

    # Behind another NAT the router maps no IPv4 port.
    let_pass(router)
    router.private_external_address()
    door.wait_for("partly_open", switch="on")
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    assert door.external_address == f"[{LAN_ADDRESS_V6}]:{SERVICE}"
    door.turn("off")
    assert door.switch == "off"
    assert_shut_or_kept(home, door)


def test_both_when_one_is_gone(home: Home, router: Router) -> None:
    """The IPv6 side is not answered for: that door closes with its lease, one stays."""
    router.configure(min_lifetime=1, max_lifetime=SHORT_LEASE)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="both")
    router.silence(ip_version=6)
    door.wait_for("partly_open", switch="on")
    home.wait_until_shut(SERVICE, address=LAN_ADDRESS_V6)
    assert home.passes(SERVICE)
    router.unsilence()
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    door.wait_for("open", switch="on")


def test_reboot(home: Home, router: Router) -> None:
    """14.1.3: the ANNOUNCE from the router's link-local address remakes pinholes."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="ipv6")
    let_pass(router)
    router.reboot()
    assert not passes(home)
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    door.wait_for("open", switch="on")


def test_link_local_server(empty_home: Home, router: Router) -> None:
    """A router that was added as fe80::1%eth0: its IPv4 side is found, too."""
    home = empty_home
    home.add_router(SCOPED_LINK_LOCAL)
    home.listen(SERVICE)
    assert home.router_state("sensor", "protocol") == "pcp"
    door = home.add("Web", SERVICE, ip_version="both")
    assert (home.passes(SERVICE), passes(home)) == (True, True)
    assert home.router_state("sensor", "external_ipv4") == EXTERNAL_ADDRESS
    let_pass(router)
    router.reboot()
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    home.wait_until_passes(SERVICE)
    door.wait_for("open", switch="on")
    door.turn("off")
    assert not home.passes(SERVICE)
    assert_shut_or_kept(home, door)


def test_global_server(empty_home: Home, router: Router) -> None:
    """14.1.3: a server that is asked at its global address announces from another."""
    home = empty_home
    home.add_router(ROUTER_ADDRESS_V6)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="ipv6")
    assert home.servers() == {6: ROUTER_ADDRESS_V6}
    let_pass(router)
    router.reboot()
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    door.wait_for("open", switch="on")


def test_no_ipv6_server(home: Home, router: Router) -> None:
    """Without a default router there is none; nor where we have no global address."""
    lose_default_router(home.network)
    for ip_version in ("ipv6", "both"):
        key = home.refusal("Web", SERVICE, ip_version=ip_version)
        assert key == "no_ipv6_server"
    errors = home.form_errors("Web", SERVICE, ip_version="ipv6")
    assert errors == {"advanced": "no_ipv6_server"}
    assert router.mappings() == []


def test_no_global_address(home: Home, router: Router) -> None:
    """8.4: a pinhole for a local address would be of no use, and is not made."""
    lose_addresses(home.network)
    assert home.refusal("Web", SERVICE, ip_version="ipv6") == "no_ipv6_server"
    add_unique_local(home.network)
    assert home.refusal("Web", SERVICE, ip_version="both") == "no_ipv6_server"
    assert router.mappings() == []


def test_no_ipv4_server(empty_home: Home, router: Router) -> None:
    """Likewise IPv4, of a router that was added by its IPv6 address."""
    home = empty_home
    home.add_router(SCOPED_LINK_LOCAL)
    home.network.run("lan", "ip", "route", "del", "default")
    try:
        assert home.refusal("Web", SERVICE) == "no_ipv4_server"
        assert home.form_errors("Web", SERVICE) == {"advanced": "no_ipv4_server"}
    finally:
        home.network.set_address("lan", LAN_ADDRESS)
    assert router.mappings() == []


def test_restored_pinhole(home: Home, router: Router) -> None:
    """A router that restores pinholes that let nothing through: mended by renewing."""
    router.configure(lease_files=True)
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="ipv6")
    let_pass(router)
    router.restart(lose_mappings=False)
    assert router.mappings() != []
    assert not passes(home)
    home.wait_until_passes(SERVICE, address=LAN_ADDRESS_V6)
    door.wait_for("open", switch="on")


def renewed_pinhole(home: Home, router: Router) -> Door:
    """Open a pinhole, and wait until it was renewed: miniupnpd 2.3.1 keeps it then."""
    router.configure(min_lifetime=1, max_lifetime=SHORT_LEASE)
    door = home.add("Web", SERVICE, ip_version="ipv6")
    first_end = door.state("expires_at")
    home.api.wait_for_state(
        door.entity_id("expires_at"), lambda state: state["state"] > first_end
    )
    return door


def test_renewed_pinhole(home: Home, router: Router) -> None:
    """A pinhole that cannot be closed: told until its end, and shorter from then on."""
    home.listen(SERVICE)
    door = renewed_pinhole(home, router)
    door.turn("off")
    assert (door.switch, door.status) == ("off", "closing")
    assert 0 < door.expires_in < SHORT_LEASE + 1
    assert passes(home)
    door.wait_for("closed", switch="off")
    home.wait_until_shut(SERVICE, address=LAN_ADDRESS_V6)

    router.configure(max_lifetime=86400)
    door.turn("on")
    assert door.response()["mappings"][0]["lifetime"] == PINHOLE_LIFETIME
    other = home.add("IPv4", SERVICE + 1)
    assert other.response()["mappings"][0]["lifetime"] == 3600


def test_renewed_pinhole_is_changed(home: Home, router: Router) -> None:
    """What the router keeps does not keep the forward from becoming another one."""
    home.listen(SERVICE)
    door = renewed_pinhole(home, router)
    assert home.change(door, "Web", SERVICE, ip_version="ipv4") == {}
    door.wait_for("open", switch="on")
    assert home.passes(SERVICE)
    home.wait_until_shut(SERVICE, address=LAN_ADDRESS_V6)
