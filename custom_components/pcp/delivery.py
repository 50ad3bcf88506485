"""Passes orders on to the keepers, each to the link that it is for."""

from .client.events import LeaseLost, LeaseReleased
from .client.mapping import MappingKey
from .leases import Lease
from .ledger import Ledger
from .link import Link
from .links import Links
from .orders import Ask, Order, Release, Restore
from .records import Records


class Delivery:
    """Carries what the ledger has decided to the keepers of one router."""

    def __init__(self, ledger: Ledger, links: Links, records: Records) -> None:
        """Take both ends, and where it is noted that a mapping was never asked for."""
        self._ledger = ledger
        self._links = links
        self._records = records

    def pass_on(self, order: Order) -> None:
        """Give an order to its keeper.

        Without a link nothing happens: `resume` makes up for it when there is one.
        """
        key = order.key
        lease = self._ledger.leases.get(key)
        link = self._links.ready(key.internal_address.version)
        if lease is None or (isinstance(order, Ask) and not lease.wanted):
            # It was withheld for so long that nobody wants it any more.
            return
        if link is not None and self._is_of_former_address(lease):
            self._close_from_former_address(link, lease)
            return
        if link is not None:
            self._links.reclaim(key)
            link.carry_out(order, lease)
        view = None if link is None else link.keeper.lease(key)
        if isinstance(order, Restore):
            if lease.grant is not None and view is not None and view.grant is None:
                # It has run out since that was decided.
                self._ledger.handle_event(LeaseLost(key))
        elif isinstance(order, Release):
            if view is not None:
                self._ledger.set_open_until(key, view.open_until)
            elif link is not None or lease.open_until is None:
                # It was never asked for.
                self._forget(key)

    def _is_of_former_address(self, lease: Lease) -> bool:
        """Tell whether a mapping can only be deleted from an address that we had."""
        address = lease.key.internal_address
        ours = self._ledger.internal_addresses.get(address.version, address)
        return not lease.wanted and not lease.wish.third_party and address != ours

    def _close_from_former_address(self, link: Link, lease: Lease) -> None:
        """Hand an unwanted mapping to a link from the address that it is for.

        It waits there for as long as we do not have that address. RFC 6887 8.1, 11.5.
        """
        key = lease.key
        if (view := link.keeper.lease(key)) is not None:
            self._ledger.set_open_until(key, view.open_until)
            link.keeper.let_go(key)
        if lease.open_until is None:
            self._forget(key)
            return
        former = self._links.from_address(key.internal_address)
        if former.keeper.lease(key) is None:
            former.carry_out(Restore(key, lease.grant), lease)

    def _forget(self, key: MappingKey) -> None:
        """Note that a mapping was never asked for, on disk, too."""
        self._ledger.handle_event(LeaseReleased(key))
        self._records.save_soon(renewal=False)
