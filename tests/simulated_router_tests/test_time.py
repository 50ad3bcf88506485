"""Epoch, expiry, announcements, reboots and address changes, in driven time."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from custom_components.pcp.client.codec import (
    AnnounceResponse,
    ExternalAddressResponse,
    MapResponse,
    NatPmpResult,
    ResultCode,
    ThirdParty,
    decode_nat_pmp_response,
    decode_response,
)
from tests.simulated_router import PERSONALITIES, RouterCore

from .asking import CLIENT, CLIENT_6, EXTERNAL, NONCE, OTHER_HOST, OTHER_NONCE, Asking

NEW_EXTERNAL = IPv4Address("127.0.99.2")


def _announced(asking: Asking) -> list[float]:
    """Follow the wake-ups and return when announcements were due."""
    times: list[float] = []
    while (wakeup := asking.core.next_wakeup()) is not None:
        asking.now = wakeup
        times.extend(asking.now for _ in asking.core.announcements(now=wakeup))
    return times


def test_announcements_double_their_pauses() -> None:
    """14.1.3: up to ten, the first pause 250 ms, each next one twice as long."""
    asking = Asking()
    start = asking.now
    pauses = [at - start for at in _announced(asking)]
    assert pauses == [0.25 * (2**n - 1) for n in range(10)]


def test_announcements_tell_the_time_that_passed() -> None:
    """14.1.3: every repetition carries the epoch of its own time."""
    asking = Asking()
    asking.core.announcements(now=asking.now)
    asking.now += 3.75
    (data,) = asking.core.announcements(now=asking.now)
    assert decode_response(data) == AnnounceResponse(
        result_code=ResultCode.SUCCESS, epoch_time=3
    )


def test_miniupnpd_announces_once() -> None:
    """Miniupnpd announces its start once and never again."""
    asking = Asking("miniupnpd_2_3_1")
    assert len(_announced(asking)) == 1


def test_nat_pmp_notices() -> None:
    """RFC 6886 3.2.1: a NAT-PMP server tells its external address at start."""
    (data,) = Asking("nat_pmp_only").core.announcements(now=1000.0)
    response = decode_nat_pmp_response(data)
    assert isinstance(response, ExternalAddressResponse)
    assert response.external_address == EXTERNAL


def test_wakeup_at_the_next_expiry() -> None:
    """Once all is announced, the next wake-up is the first mapping's end."""
    asking = Asking()
    _announced(asking)
    asking.map(lifetime=600, internal_port=1)
    asking.map(lifetime=120, internal_port=2)
    assert asking.core.next_wakeup() == asking.now + 120
    asking.core.tick(now=asking.now + 120)
    assert asking.core.next_wakeup() == asking.now + 600


def test_epoch_wraps() -> None:
    """7.2: the epoch has 32 bits."""
    asking = Asking(epoch_time=0xFFFFFFFF)
    asking.now += 2
    assert asking.core.epoch_time(asking.now) == 1


def test_reboot_loses_all() -> None:
    """14.1: a reboot loses the mappings, starts the epoch anew and announces."""
    asking = Asking(epoch_time=500)
    asking.map()
    asking.core.announcements(now=asking.now)
    asking.now += 10
    asking.core.reboot(now=asking.now)
    assert asking.ports() == []
    (data,) = asking.core.announcements(now=asking.now)
    assert decode_response(data) == AnnounceResponse(
        result_code=ResultCode.SUCCESS, epoch_time=0
    )


def test_reboot_that_keeps_mappings() -> None:
    """A lease file keeps the mappings while the epoch starts anew."""
    asking = Asking("miniupnpd_2_3_1", epoch_time=500)
    asking.map()
    asking.core.reboot(now=asking.now, lose_mappings=False)
    assert asking.ports() == [8123]
    assert asking.core.epoch_time(asking.now) == 0


def test_reboot_with_uptime_epoch() -> None:
    """With system_uptime a restart shows in the announcement alone."""
    asking = Asking("miniupnpd_uptime", epoch_time=500)
    asking.core.announcements(now=asking.now)
    asking.core.reboot(now=asking.now)
    assert asking.core.epoch_time(asking.now) == 500
    assert len(asking.core.announcements(now=asking.now)) == 1


def test_address_change_by_mapping_updates() -> None:
    """14.2: three MAP answers nobody asked for, to where the request came from."""
    asking = Asking()
    asking.map(suggested_port=40123, lifetime=600)
    asking.map(source=CLIENT_6)
    asking.now += 200
    asking.core.change_external_address(NEW_EXTERNAL, now=asking.now)
    epoch_time = asking.core.epoch_time(asking.now)
    for pause in (0, 0.25, 0.5):
        asking.now += pause
        (reply,) = asking.core.updates(now=asking.now)
        assert reply.destination == (CLIENT, 40000)
        response = decode_response(reply.data)
        assert isinstance(response, MapResponse)
        assert response.assigned_external_address == NEW_EXTERNAL
        assert response.assigned_external_port == 40123
        assert response.nonce == NONCE
        assert response.lifetime in {399, 400}
        assert response.epoch_time == epoch_time
    asking.now += 60
    assert asking.core.updates(now=asking.now) == []


def test_mapping_update_of_a_third_party() -> None:
    """14.2: the update names the third party, as the request did."""
    asking = Asking("third_party")
    option = ThirdParty(internal_address=OTHER_HOST)
    asking.map(option)
    asking.map()
    asking.core.change_external_address(NEW_EXTERNAL, now=asking.now)
    responses = [
        decode_response(reply.data) for reply in asking.core.updates(now=asking.now)
    ]
    assert [getattr(response, "options", None) for response in responses] == [
        (option,),
        (),
    ]


def test_address_change_by_new_epoch() -> None:
    """miniupnpd: a NAT-PMP notice with the old epoch, then ANNOUNCE with epoch 0."""
    asking = Asking("miniupnpd_2_3_1", epoch_time=500)
    asking.core.announcements(now=asking.now)
    asking.core.change_external_address(NEW_EXTERNAL, now=asking.now)
    notice, announcement = asking.core.announcements(now=asking.now)
    told = decode_nat_pmp_response(notice)
    assert isinstance(told, ExternalAddressResponse)
    assert (told.epoch_time, told.external_address) == (500, NEW_EXTERNAL)
    assert decode_response(announcement) == AnnounceResponse(
        result_code=ResultCode.SUCCESS, epoch_time=0
    )
    assert asking.core.updates(now=asking.now) == []


def test_address_change_by_nat_pmp() -> None:
    """RFC 6886 3.2.1: a new address is told ten times, and the epoch is new."""
    asking = Asking("nat_pmp_only", epoch_time=500)
    _announced(asking)
    asking.core.change_external_address(NEW_EXTERNAL, now=asking.now)
    (data,) = asking.core.announcements(now=asking.now)
    assert decode_nat_pmp_response(data) == ExternalAddressResponse(
        result_code=NatPmpResult.SUCCESS,
        epoch_time=0,
        external_address=NEW_EXTERNAL,
    )
    assert len(_announced(asking)) == 9


def test_address_change_in_silence() -> None:
    """Miniupnpd without UPnP: only the next MAP answer carries the new address."""
    asking = Asking("miniupnpd_quiet", epoch_time=500)
    asking.map()
    asking.core.announcements(now=asking.now)
    asking.core.change_external_address(NEW_EXTERNAL, now=asking.now)
    assert asking.core.announcements(now=asking.now) == []
    assert asking.core.epoch_time(asking.now) == 500
    assert asking.map().assigned_external_address == NEW_EXTERNAL


def test_external_address_lost_and_found() -> None:
    """7.4: while there is no address, NETWORK_FAILURE; afterwards all is well."""
    asking = Asking()
    asking.core.change_external_address(None, now=asking.now)
    assert asking.map().result_code is ResultCode.NETWORK_FAILURE
    asking.core.change_external_address(EXTERNAL, now=asking.now)
    assert asking.map().result_code is ResultCode.SUCCESS


def test_silenced() -> None:
    """A silenced router changes nothing, announces nothing and answers nothing."""
    asking = Asking()
    asking.map()
    asking.core.silenced = True
    assert asking.raw(bytes(2)) is None
    assert asking.core.announcements(now=asking.now) == []
    asking.core.silenced = False
    assert asking.raw(bytes(2)) is not None


def test_lost_without_a_sign() -> None:
    """Mappings may go with no new epoch and no announcement."""
    asking = Asking(epoch_time=500)
    asking.map()
    asking.core.announcements(now=asking.now)
    asking.core.lose_mappings()
    assert asking.ports() == []
    assert asking.core.announcements(now=asking.now) == []
    assert asking.core.epoch_time(asking.now) == 500
    assert asking.map(nonce=OTHER_NONCE).result_code is ResultCode.SUCCESS


@pytest.mark.parametrize("source", ["192.168.78.2", "2001:db8:78::2"])
def test_not_from_the_lan(source: str) -> None:
    """8.2: what comes from elsewhere than the inside is not answered."""
    core = RouterCore(
        PERSONALITIES["rfc"],
        external_address=EXTERNAL,
        now=0.0,
        local_networks=[ip_network("192.168.77.0/24"), ip_network("2001:db8:77::/64")],
    )
    announce = bytes([2, *bytes(23)])
    assert core.receive(announce, (ip_address(source), 40000), now=0.0) == []
    assert core.receive(announce, (CLIENT, 40000), now=0.0) != []
