"""The ledger: wishes become orders, and answers become what is shown."""

from ipaddress import IPv4Network

from custom_components.pcp.client.events import (
    LeaseReappeared,
    ProtocolChanged,
    ServerProtocol,
)
from custom_components.pcp.client.mapping import Protocol
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.news import ForwardLost, ForwardRestored
from custom_components.pcp.orders import Ask, Release
from custom_components.pcp.wishes import Wish

from .bookkeeping import (
    ELSEWHERE,
    LEASE_TIME,
    OWN,
    OWN_6,
    Bookkeeping,
    asked,
    forward,
    key,
    opened,
    released,
)

UDP = Protocol.UDP


def test_a_new_forward_is_off() -> None:
    """Nothing opens without a deliberate act."""
    books = Bookkeeping()
    assert books.define(a=forward()) == []
    assert books.ledger.wish("a") == Wish(wanted=False)
    assert books.status() is ForwardStatus.CLOSED
    assert books.ledger.leases == {}


def test_opening_asks_for_every_mapping_on_its_terms() -> None:
    """What the user defined is what is asked for; each mapping has its own nonce."""
    books = Bookkeeping()
    books.define(
        a=forward(
            protocol="tcp_udp",
            external_port=8080,
            exact_external_port=True,
            allowed_sources=["198.51.100.0/24"],
        )
    )
    assert books.ledger.open("a") == [
        Ask(key(), urgent=True),
        Ask(key(protocol=UDP), urgent=True),
    ]
    wishes = [lease.wish for lease in books.ledger.leases.values()]
    assert [wish.nonce for wish in wishes] == [b"\0" * 11 + b"\1", b"\0" * 11 + b"\2"]
    for wish in wishes:
        assert wish.lifetime == LEASE_TIME
        assert wish.suggested_external_port == 8080
        assert wish.exact
        assert not wish.third_party
        assert wish.allowed_sources == (IPv4Network("198.51.100.0/24"),)
    assert books.status() is ForwardStatus.OPENING


def test_a_granted_forward_is_open() -> None:
    """And only then; `expires_at` is the lease's end."""
    books = opened()
    standing = books.standing()
    assert standing.status is ForwardStatus.OPEN
    assert standing.expires_at == LEASE_TIME
    assert standing.refusal is None


def test_opening_what_is_open_asks_for_nothing() -> None:
    """The router is asked as little as possible."""
    books = opened()
    assert books.ledger.open("a") == []
    assert books.status() is ForwardStatus.OPEN


def test_opening_asks_again_for_what_was_refused() -> None:
    """A person who turns it on again wants to know what the router says now."""
    books = Bookkeeping()
    books.define(a=forward(protocol="tcp_udp"))
    books.ledger.open("a")
    books.grant(key())
    books.refuse(key(protocol=UDP))
    assert books.ledger.open("a") == [Ask(key(protocol=UDP), urgent=True)]
    assert books.standing().refusal is None


def test_some_of_the_mappings_are_partly_open() -> None:
    """The first lease to run out is the one that is told."""
    books = Bookkeeping()
    books.define(a=forward(protocol="tcp_udp"))
    books.ledger.open("a")
    books.grant(key(), lifetime=600)
    assert books.status() is ForwardStatus.PARTLY_OPEN
    books.now = 60
    books.grant(key(protocol=UDP), lifetime=600)
    assert books.status() is ForwardStatus.OPEN
    assert books.standing().expires_at == 600


def test_a_version_without_an_address_leaves_it_partly_open() -> None:
    """What cannot even be asked for is not open."""
    books = Bookkeeping()
    books.define(a=forward(ip_version="both"))
    books.ledger.open("a")
    books.grant()
    assert books.status() is ForwardStatus.PARTLY_OPEN
    assert asked(books.ledger.set_internal_address(OWN_6)) == [key(address=OWN_6)]
    books.grant()
    assert books.status() is ForwardStatus.OPEN


def test_a_refusal_is_told() -> None:
    """Of what is not granted: a refused renewal leaves the forward open."""
    books = opened()
    books.refuse()
    assert books.status() is ForwardStatus.OPEN
    assert books.standing().refusal is None
    books.lose()
    assert books.status() is ForwardStatus.REFUSED
    books.grant()
    assert books.status() is ForwardStatus.OPEN


def test_a_silent_router_makes_it_unreachable() -> None:
    """Wanted, no live lease, the router is silent; while leases live it stays open."""
    books = opened()
    assert books.status(ipv4=False) is ForwardStatus.OPEN
    books.lose()
    assert books.status(ipv4=None) is ForwardStatus.OPENING
    assert books.status(ipv4=False) is ForwardStatus.UNREACHABLE
    books.refuse()
    assert books.status(ipv4=False) is ForwardStatus.UNREACHABLE


def test_only_the_versions_of_a_forward_matter_for_reaching_it() -> None:
    """A version that the router is not reached over is as good as silent."""
    books = Bookkeeping()
    books.define(a=forward(ip_version="ipv6"), b=forward(81, ip_version="both"))
    books.ledger.open("a")
    books.ledger.open("b")
    assert books.status("a") is ForwardStatus.UNREACHABLE
    assert books.status("a", ipv6=None) is ForwardStatus.OPENING
    assert books.status("b") is ForwardStatus.OPENING
    assert books.status("b", ipv4=False) is ForwardStatus.UNREACHABLE


def test_closing_is_owed_until_it_is_answered_for() -> None:
    """Switched off, and may still be open: `expires_at` says until when."""
    books = opened()
    assert books.ledger.close("a") == [Release(key())]
    standing = books.standing()
    assert standing.status is ForwardStatus.CLOSING
    assert standing.expires_at == LEASE_TIME
    books.ledger.set_open_until(key(), 60.0)
    assert books.standing().expires_at == 60.0
    books.release()
    assert books.status() is ForwardStatus.CLOSED
    assert books.ledger.leases == {}


def test_closing_what_is_closed_orders_nothing() -> None:
    """Twice off is off."""
    books = opened()
    books.ledger.close("a")
    assert books.ledger.close("a") == []


def test_opening_again_keeps_the_nonce_of_what_is_still_owed() -> None:
    """RFC 6887 11.2: it may still be there, and has that nonce."""
    books = opened()
    nonce = books.nonce()
    books.ledger.close("a")
    assert books.ledger.open("a") == [Ask(key(), urgent=True)]
    assert books.nonce() == nonce
    assert books.status() is ForwardStatus.OPENING
    books.release()
    assert books.wanted() == [key()]


def test_a_late_grant_of_something_unwanted_is_not_open() -> None:
    """It is only known for longer that something may be there."""
    books = opened()
    books.ledger.close("a")
    books.now = 60
    books.grant(key())
    assert books.status() is ForwardStatus.CLOSING
    assert books.standing().expires_at == 60 + LEASE_TIME
    books.ledger.open("a")
    assert books.status() is ForwardStatus.OPENING


def test_a_late_refusal_of_something_unwanted_is_not_told() -> None:
    """Nobody wants it."""
    books = opened()
    books.ledger.close("a")
    books.refuse(key())
    books.ledger.open("a")
    assert books.standing().refusal is None


def test_taking_back_asks_for_nothing_again() -> None:
    """A refused act sets the wish back to what it was, on or off."""
    books = Bookkeeping()
    books.define(a=forward())
    before = books.ledger.wish("a")
    books.ledger.open("a")
    books.refuse()
    assert books.ledger.set_wish("a", before) == [Release(key())]
    books.release()
    assert books.status() is ForwardStatus.CLOSED

    books.ledger.open("a", closes_at=60.0)
    before = books.ledger.wish("a")
    books.refuse()
    books.ledger.open("a", closes_at=600.0)
    books.refuse()
    assert books.ledger.set_wish("a", before) == []
    assert books.ledger.wish("a") == Wish(wanted=True, closes_at=60.0)
    assert books.status() is ForwardStatus.REFUSED


def test_a_removed_forward_is_closed_and_stays_owed() -> None:
    """What is owed outlives the definition."""
    books = opened()
    assert books.define() == [Release(key())]
    assert books.owed() == [key()]
    assert not books.ledger.forwards
    assert books.ledger.next_wakeup() is None


def test_one_forward_does_not_disturb_another() -> None:
    """Adding, changing and removing orders nothing for others."""
    books = opened()
    a = forward()
    assert books.define(a=a, b=forward(81)) == []
    assert asked(books.ledger.open("b")) == [key(81)]
    assert books.define(a=a, b=forward(82)) == [
        Release(key(81)),
        Ask(key(82), urgent=True),
    ]
    assert books.define(a=a) == [Release(key(82))]
    assert books.status("a") is ForwardStatus.OPEN


def test_another_name_is_not_urgent() -> None:
    """RFC 7220: the doors stay as they are, and the next renewal has the name."""
    books = opened()
    assert books.define(a=forward(name="Other")) == [Ask(key(), urgent=False)]
    assert books.ledger.leases[key()].wish.description == "Other"
    assert books.status() is ForwardStatus.OPEN
    assert books.standing().forward.name == "Other"


def test_other_terms_are_asked_for() -> None:
    """A definition that changes without having been tried."""
    books = opened()
    nonce = books.nonce()
    assert books.define(a=forward(external_port=8080)) == [Ask(key(), urgent=True)]
    assert books.ledger.leases[key()].wish.suggested_external_port == 8080
    assert books.nonce() == nonce


def test_a_new_lease_time_counts_from_the_next_renewal() -> None:
    """Nobody waits for it; what is open stays open."""
    books = opened()
    assert books.ledger.set_options(lease_time=7200, third_party=False) == [
        Ask(key(), urgent=False)
    ]
    assert books.ledger.leases[key()].wish.lifetime == 7200
    assert books.status() is ForwardStatus.OPEN
    assert books.ledger.set_options(lease_time=7200, third_party=False) == []


def test_other_hosts_need_the_option() -> None:
    """Without it their forwards are off from now on, and do not come back by it."""
    books = Bookkeeping(third_party=True)
    other = key(address=ELSEWHERE)
    books.define(a=forward(target_host=str(ELSEWHERE)), b=forward())
    books.ledger.open("b")
    assert asked(books.ledger.open("a")) == [other]
    assert books.ledger.leases[other].wish.third_party
    books.grant()
    options = {"lease_time": LEASE_TIME}
    assert books.ledger.set_options(**options, third_party=False) == [Release(other)]
    assert books.ledger.wish("a") == Wish(wanted=False)
    assert books.status("b") is ForwardStatus.OPEN
    assert books.ledger.set_options(**options, third_party=True) == []


def test_another_address_of_ours_moves_everything() -> None:
    """RFC 6887 11.5: what the old address had cannot be closed from the new one."""
    books = opened()
    nonce = books.nonce()
    new = key(address=ELSEWHERE)
    assert books.ledger.set_internal_address(ELSEWHERE) == [
        Release(key()),
        Ask(new, urgent=False),
    ]
    assert books.status() is ForwardStatus.OPENING
    books.grant(new)
    assert books.status() is ForwardStatus.OPEN
    assert books.owed() == [key()]
    assert books.nonce(new) != nonce
    # And back, before it has run out.
    assert asked(books.ledger.set_internal_address(OWN)) == [key()]
    assert books.nonce() == nonce


def test_the_same_address_orders_nothing() -> None:
    """A look around that finds nothing new."""
    books = opened()
    assert books.ledger.set_internal_address(OWN) == []


def test_close_all_stops_everything() -> None:
    """Disabling the router: also what was only tried, or about to be changed."""
    books = opened()
    books.ledger.begin_trial(forward(81), ends_at=60.0)
    books.ledger.begin_change("a", ends_at=60.0)
    assert released(books.ledger.close_all()) == [key(81)]
    assert books.wanted() == []
    assert books.ledger.wish("a") == Wish(wanted=False)
    assert books.ledger.next_wakeup() is None


def test_what_reappears_is_owed() -> None:
    """A late copy of a request made again what was released."""
    books = opened()
    wish = books.ledger.leases[key()].wish
    books.ledger.close("a")
    books.release()
    books.tell(LeaseReappeared(wish, 60.0))
    assert books.status() is ForwardStatus.CLOSING
    assert books.standing().expires_at == 60.0
    books.release()
    assert books.status() is ForwardStatus.CLOSED


def test_what_reappears_while_it_is_wanted_again_has_its_old_nonce() -> None:
    """It is the same mapping; the order to ask for it is still to be carried out."""
    books = opened()
    old = books.ledger.leases[key()].wish
    books.ledger.close("a")
    books.release()
    books.ledger.open("a")
    assert books.nonce() != old.nonce
    books.tell(LeaseReappeared(old, 60.0))
    assert books.nonce() == old.nonce
    assert books.wanted() == [key()]


def test_news_of_unknown_mappings_change_nothing() -> None:
    """What was forgotten stays forgotten; what concerns no mapping is no news here."""
    books = opened()
    before = books.ledger.snapshot()
    books.lose(key(99))
    books.refuse(key(99))
    books.release(key(99))
    books.grant(key(99))
    books.ledger.set_open_until(key(99), 1.0)
    books.tell(ProtocolChanged(ServerProtocol.PCP))
    assert books.ledger.snapshot() == before


def test_a_loss_is_told_once_and_so_is_what_follows() -> None:
    """Lost by itself, and restored; the user's own doing is no news."""
    books = opened(protocol="tcp_udp")
    assert books.ledger.take_news() == []
    books.lose()
    assert books.ledger.take_news() == [ForwardLost("a")]
    books.grant(key())
    assert books.ledger.take_news() == []
    books.grant(key(protocol=UDP))
    assert books.ledger.take_news() == [ForwardRestored("a")]
    books.ledger.close("a")
    books.ledger.open("a")
    books.grant()
    assert books.ledger.take_news() == []


def test_another_address_of_ours_is_a_loss() -> None:
    """Nobody asked for it, and for a moment nothing is open."""
    books = opened()
    books.ledger.set_internal_address(ELSEWHERE)
    assert books.ledger.take_news() == [ForwardLost("a")]


def test_a_removed_forward_is_no_news() -> None:
    """Neither lost now, nor restored when its id comes again."""
    books = opened()
    books.lose()
    books.ledger.take_news()
    books.define()
    books.define(a=forward())
    books.ledger.open("a")
    books.grant()
    assert books.ledger.take_news() == []


def test_only_what_may_have_changed_is_touched() -> None:
    """A thousand others are not looked at."""
    books = opened()
    books.define(a=forward(), b=forward(81), c=forward(80, protocol="udp"))
    assert books.ledger.take_touched() == {"a", "b", "c"}
    books.ledger.open("b")
    assert books.ledger.take_touched() == {"b"}
    books.lose(key())
    assert books.ledger.take_touched() == {"a"}
    books.ledger.touch("b")
    assert books.ledger.take_touched() == {"b"}
    books.ledger.touch()
    assert books.ledger.take_touched() == {"a", "b", "c"}
    assert books.ledger.take_touched() == set()
    books.define()
    assert books.ledger.take_touched() == set()
