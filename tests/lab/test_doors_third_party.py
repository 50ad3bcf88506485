"""Forwards to another host of the LAN, asked for on its behalf. RFC 6887 13.1."""

import pytest

from tests.real_ha import ApiError

from .home import Home
from .ipv6 import LAN_UNIQUE_LOCAL, add_unique_local
from .network import (
    EXTERNAL_ADDRESS,
    LAN_ADDRESS,
    LAN_ADDRESS_V6,
    NAS_ADDRESS,
    NAS_ADDRESS_V6,
)
from .router import Router
from .watching import let_pass

SERVICE = 8443
# Where a forward to nas is reached from outside.
OUTSIDE = {NAS_ADDRESS: EXTERNAL_ADDRESS, NAS_ADDRESS_V6: NAS_ADDRESS_V6}


@pytest.fixture
def home(home: Home) -> Home:
    """A Home Assistant that has the router, and may ask for others."""
    home.set_options(third_party=True)
    return home


@pytest.mark.parametrize("target", [NAS_ADDRESS, NAS_ADDRESS_V6])
def test_other_host(home: Home, router: Router, target: str) -> None:
    """Its doors open, survive a reboot of the router, and close."""
    outside = OUTSIDE[target]
    nas = home.listen(SERVICE, place="nas")
    lan = home.listen(SERVICE)
    assert not home.passes(SERVICE, address=outside)
    door = home.add("Camera", SERVICE, target_host=target)
    assert home.passes(SERVICE, address=outside)
    assert (door.switch, door.status) == ("on", "open")
    assert [m.internal_address for m in router.mappings()] == [target]
    # What the router's own sensors tell is not another host's address.
    assert home.router_state("sensor", "external_ipv6") != NAS_ADDRESS_V6

    let_pass(router)
    router.reboot()
    assert not home.passes(SERVICE, address=outside)
    home.wait_until_passes(SERVICE, address=outside)
    door.wait_for("open", switch="on")

    door.turn("off")
    assert not home.passes(SERVICE, address=outside)
    assert (door.switch, door.status, router.mappings()) == ("off", "closed", [])
    assert nas.callers
    assert lan.callers == []


def test_same_port_of_two_hosts(home: Home, router: Router) -> None:
    """The same port of ours and of another host's are two mappings."""
    lan, nas = home.listen(SERVICE), home.listen(SERVICE, place="nas")
    home.add("Own", SERVICE)
    other = home.add("Camera", SERVICE, target_host=NAS_ADDRESS)
    assert home.passes(SERVICE)
    assert home.passes(other.external_port)
    assert (len(lan.callers), len(nas.callers)) == (1, 1)
    other.turn("off")
    assert [m.internal_address for m in router.mappings()] == [LAN_ADDRESS]


def test_option_turned_off(home: Home, router: Router) -> None:
    """The forwards to others go off and are closed; ours stay."""
    home.listen(SERVICE, place="nas")
    own = home.add("Own", SERVICE + 1)
    others = [
        home.add("Camera", SERVICE, target_host=NAS_ADDRESS),
        home.add("Camera 6", SERVICE, target_host=NAS_ADDRESS_V6),
    ]
    home.set_options(third_party=False)
    for door in others:
        door.wait_for("closed", switch="off")
    assert not home.passes(SERVICE)
    assert not home.passes(SERVICE, address=NAS_ADDRESS_V6)
    assert [m.internal_address for m in router.mappings()] == [LAN_ADDRESS]
    assert (own.switch, own.status) == ("on", "open")
    with pytest.raises(ApiError) as refused:
        others[0].turn("on")
    assert refused.value.translation_key == "third_party_off"

    home.set_options(third_party=True)
    assert others[0].switch == "off"
    others[0].turn("on")
    assert home.passes(SERVICE)


def test_without_the_option(home: Home, router: Router) -> None:
    """Where it is not allowed nothing is asked for."""
    home.set_options(third_party=False)
    assert home.refusal("NAS", SERVICE, target_host=NAS_ADDRESS) == "third_party_off"
    errors = home.form_errors("NAS", SERVICE, target_host=NAS_ADDRESS)
    assert errors == {"advanced": "third_party_off"}
    assert router.mappings() == []


def test_router_does_not_support_it(home: Home, router: Router) -> None:
    """UNSUPP_OPTION, as most routers say: told, and nothing is kept."""
    router.configure(third_party=False)
    for target in (NAS_ADDRESS, NAS_ADDRESS_V6):
        key = home.refusal("NAS", SERVICE, target_host=target)
        assert key == "unsupported_option"
    errors = home.form_errors("NAS", SERVICE, target_host=NAS_ADDRESS)
    assert errors == {"base": "unsupported_option"}
    assert (home.doors(), router.mappings()) == ([], [])


def test_host_outside(home: Home, router: Router) -> None:
    """NOT_AUTHORIZED for a host that is not in the LAN: told, and nothing is kept."""
    key = home.refusal("Elsewhere", SERVICE, target_host="10.1.2.3")
    assert key == "not_authorized"
    assert (home.doors(), router.mappings()) == ([], [])


def test_own_address(home: Home, router: Router) -> None:
    """MUST NOT name the asking host: none of its addresses is another device's."""
    add_unique_local(home.network)
    for own in (LAN_ADDRESS, LAN_ADDRESS_V6, LAN_UNIQUE_LOCAL):
        key = home.refusal("Own", SERVICE, target_host=own)
        assert key == "own_address", own
    errors = home.form_errors("Own", SERVICE, target_host=LAN_ADDRESS)
    assert errors == {"advanced": "own_address"}
    assert router.mappings() == []


def test_changes(home: Home, router: Router) -> None:
    """Changed between IP versions and hosts: the old door closes, the new one opens."""
    home.listen(SERVICE)
    home.listen(SERVICE, place="nas")
    outside = (EXTERNAL_ADDRESS, LAN_ADDRESS_V6, NAS_ADDRESS_V6)
    door = home.add("Web", SERVICE)
    for fields, internal_addresses in (
        ({"ip_version": "ipv6"}, [LAN_ADDRESS_V6]),
        ({"ip_version": "both"}, [LAN_ADDRESS, LAN_ADDRESS_V6]),
        ({"target_host": NAS_ADDRESS}, [NAS_ADDRESS]),
        ({"target_host": NAS_ADDRESS_V6}, [NAS_ADDRESS_V6]),
        ({"ip_version": "ipv4"}, [LAN_ADDRESS]),
    ):
        assert home.change(door, "Web", SERVICE, **fields) == {}
        door.wait_for("open", switch="on")
        assert {m.internal_address for m in router.mappings()} == set(
            internal_addresses
        )
        passing = [home.passes(SERVICE, address=address) for address in outside]
        assert passing == [
            any(":" not in it for it in internal_addresses),
            LAN_ADDRESS_V6 in internal_addresses,
            NAS_ADDRESS_V6 in internal_addresses,
        ]


def test_refused_change(home: Home, router: Router) -> None:
    """A change that the router refuses leaves the door as it was."""
    home.listen(SERVICE)
    door = home.add("Web", SERVICE, ip_version="both")
    errors = home.change(door, "Web", SERVICE, target_host="10.1.2.3")
    assert errors == {"base": "not_authorized"}
    door.wait_for("open", switch="on")
    assert home.passes(SERVICE)
    assert home.passes(SERVICE, address=LAN_ADDRESS_V6)
    assert len(router.mappings()) == 2
