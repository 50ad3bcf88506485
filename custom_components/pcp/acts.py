"""The deliberate acts: open, close and try a forward.

Each is decided by the ledger and carried out by the engine; then it waits, not for
ever, for what the router says.
"""

from collections.abc import Iterable
from datetime import timedelta

from .client.mapping import Refusal
from .client.ways import is_ours
from .engine import Engine
from .errors import RefusedError
from .forward import (
    CONF_IP_VERSION,
    CONF_TARGET_HOST,
    Forward,
    ForwardError,
    ForwardStatus,
    check_overlap,
)
from .host import can_be_opened
from .orders import Order
from .standing import Standing
from .waiting import Waiting
from .wishes import Wish

# Seconds that a person is kept waiting for the router.
ADD_WAIT = 10.0
OPEN_WAIT = 5.0
CLOSE_WAIT = 5.0

# How long after that what was tried waits for its definition: flow and storage take
# some time to bring it.
DEFINE_WAIT = 5.0


class _Opening:
    """One or more acts at the same time that open the same forward."""

    def __init__(self, before: Wish) -> None:
        self.before = before
        """What the wish goes back to when the router says no."""

        self.error: RefusedError | None = None
        self.acts = 0


class Acts:
    """What people and automations do to the forwards of one router."""

    def __init__(self, engine: Engine, waiting: Waiting) -> None:
        """Begin with nothing under way."""
        self._engine = engine
        self._ledger = engine.ledger
        self._waiting = waiting
        self._openings: dict[str, _Opening] = {}

    def is_opening(self, forward_id: str) -> bool:
        """Tell whether somebody waits for a forward to open, and is told if it fails."""
        return forward_id in self._openings

    async def async_open(self, forward_id: str, *, duration: timedelta | None) -> None:
        """Want a forward, for a while or for good; wait for the router up to 5 s.

        Raises RefusedError, and the wish is what it was, when the router says no, or
        when the options do not permit the forward any more. The router's silence is no
        error: the forward opens when it answers again.
        """
        if (forward := self._ledger.forwards.get(forward_id)) is None:
            raise RefusedError("unknown_forward", placeholders={"forward": forward_id})
        try:
            self._check_target(forward)
        except ForwardError as err:
            raise RefusedError(err.key, field=err.field) from err
        opening = self._openings.setdefault(
            forward_id, _Opening(self._ledger.wish(forward_id))
        )
        opening.acts += 1
        try:
            await self._async_open(forward_id, opening, duration)
        finally:
            opening.acts -= 1
            if not opening.acts and self._openings.get(forward_id) is opening:
                del self._openings[forward_id]
                self._ledger.touch(forward_id)
        if opening.error is not None:
            raise opening.error

    async def _async_open(
        self, forward_id: str, opening: _Opening, duration: timedelta | None
    ) -> None:
        orders = self._ledger.open(forward_id, closes_at=self._closes_at(duration))
        is_saved = await self._engine.async_carry_out(orders)

        def is_overtaken() -> bool:
            # Somebody closed or removed it, or another of these acts was refused.
            return (
                self._openings.get(forward_id) is not opening
                or forward_id not in self._ledger.forwards
            )

        def is_forbidden() -> bool:
            # The option has gone off meanwhile, and has taken the wish away.
            return self._is_forbidden(self._ledger.forwards[forward_id])

        def is_settled() -> bool:
            if is_overtaken() or is_forbidden():
                return True
            standing = self._standing(forward_id)
            return standing.status is ForwardStatus.OPEN or standing.refusal is not None

        is_saved = is_saved or self._ledger.wish(forward_id) == opening.before
        if is_saved:
            await self._waiting.async_until(forward_id, is_settled, wait=OPEN_WAIT)
        if is_overtaken():
            return
        if is_forbidden():
            # What the wish was before is not permitted either.
            opening.error = RefusedError("third_party_off", field=CONF_TARGET_HOST)
            del self._openings[forward_id]
            return
        if is_saved:
            standing = self._standing(forward_id)
            if standing.status is ForwardStatus.OPEN or standing.refusal is None:
                return
            opening.error = RefusedError.from_refusal(standing.refusal)
        else:
            opening.error = RefusedError("storage_failed")
        del self._openings[forward_id]
        orders = self._ledger.set_wish(forward_id, opening.before)
        await self._engine.async_carry_out(orders)

    async def async_close(self, forward_id: str) -> None:
        """Stop wanting a forward; wait for the router up to 5 s.

        What it does not answer for stays owed.
        """
        if forward_id not in self._ledger.forwards:
            return
        self._openings.pop(forward_id, None)
        await self._engine.async_carry_out(self._ledger.close(forward_id))
        await self._waiting.async_until(
            forward_id, lambda: self._is_closed(forward_id), wait=CLOSE_WAIT
        )

    async def async_try(
        self, forward: Forward, *, replacing: str | None = None
    ) -> Standing | None:
        """Ask for a forward that is about to be defined; wait up to 10 s.

        It stays granted for the definition that follows; returns how it stands, or
        None where nothing had to be asked for. `replacing` is the forward that it is
        a change of: that one is closed first, and opened again when the change is
        refused. Raises ForwardError or RefusedError; nothing is left then.
        """
        begin = self._engine.clock.now()
        self._check_target(forward)
        await self._async_check_servers(forward)
        self._check_overlap(forward, replacing)
        if replacing is None:
            # Looking for the router is part of the wait.
            took = self._engine.clock.now() - begin
            return await self._async_try(forward, wait=max(1.0, ADD_WAIT - took))
        if self._ledger.wish(replacing).wanted:
            return await self._async_change(replacing, forward)
        return None

    def set_duration(self, forward_id: str, duration: timedelta | None) -> list[Order]:
        """Let a forward that is open close by itself."""
        if duration is None:
            return []
        return self._ledger.open(forward_id, closes_at=self._closes_at(duration))

    async def _async_change(self, forward_id: str, forward: Forward) -> Standing | None:
        """Close a forward, and try what it is to become.

        Returns None when somebody switches it off before that can be asked for.
        """
        # What cannot be saved could not be opened again either.
        await self._async_save()
        self._check_exists(forward_id)
        ends_at = self._engine.clock.now() + CLOSE_WAIT + ADD_WAIT + DEFINE_WAIT
        orders = self._ledger.begin_change(forward_id, ends_at=ends_at)
        granted = False
        try:
            await self._engine.async_carry_out(orders)
            closed = await self._waiting.async_until(
                forward_id, lambda: self._is_free(forward_id), wait=CLOSE_WAIT
            )
            self._check_exists(forward_id)
            # Somebody may have had the port meanwhile.
            self._check_overlap(forward, forward_id)
            if not self._ledger.wish(forward_id).wanted:
                return None
            if not closed:
                raise RefusedError("router_silent")
            standing = await self._async_try(forward)
            granted = True
        finally:
            if not granted and forward_id in self._ledger.forwards:
                await self._engine.async_carry_out(self._ledger.end_change(forward_id))
        return standing

    async def _async_try(self, forward: Forward, *, wait: float = ADD_WAIT) -> Standing:
        # The option may have gone off while others were waited for.
        self._check_target(forward)
        ends_at = self._engine.clock.now() + wait + DEFINE_WAIT
        orders = self._ledger.begin_trial(forward, ends_at=ends_at)

        def standing() -> Standing:
            return self._ledger.trial_standing(forward, self._engine.links.reachable)

        def is_granted() -> bool:
            return standing().status is ForwardStatus.OPEN

        refusal: Refusal | None = None
        try:
            await self._async_save(orders)
            await self._waiting.async_until(
                None,
                lambda: (
                    is_granted()
                    or standing().refusal is not None
                    or self._is_forbidden(forward)
                ),
                wait=wait,
            )
            refusal = standing().refusal
        finally:
            if not (granted := is_granted()):
                await self._engine.async_carry_out(self._ledger.end_trial(forward))
        if refusal is not None:
            raise RefusedError.from_refusal(refusal)
        if not granted:
            self._check_target(forward)
            raise RefusedError("router_silent")
        return standing()

    async def _async_save(self, orders: Iterable[Order] = ()) -> None:
        """Save and carry out; raises RefusedError when nothing can be written."""
        if not await self._engine.async_carry_out(orders):
            raise RefusedError("storage_failed")

    def _check_target(self, forward: Forward) -> None:
        """Refuse another host that no router can be asked for."""
        if forward.target_host is None:
            return
        if self._is_forbidden(forward):
            raise ForwardError("third_party_off", CONF_TARGET_HOST)
        # RFC 6887 13.1: a host MUST NOT name itself. Whether the other one is still
        # there is not looked at: it may sleep, and the switch is what the user wants.
        if is_ours(forward.target_host):
            raise ForwardError("own_address", CONF_TARGET_HOST)

    def _is_forbidden(self, forward: Forward) -> bool:
        """Tell whether the options do not permit a forward to another host."""
        return forward.target_host is not None and not self._ledger.third_party

    async def _async_check_servers(self, forward: Forward) -> None:
        """Refuse an IP version that the router is not reached over."""
        versions = forward.ip_version.versions
        await self._engine.async_look_for(versions)
        if not any(self._engine.links):
            raise RefusedError("router_silent")
        for version in versions:
            link = self._engine.links.get(version)
            address = None if link is None else link.keeper.client_address
            in_vain = address is not None and not can_be_opened(address)
            if link is None or (forward.target_host is None and in_vain):
                raise ForwardError(f"no_ipv{version}_server", CONF_IP_VERSION)

    def _check_exists(self, forward_id: str) -> None:
        """Refuse what somebody has removed meanwhile."""
        if forward_id not in self._ledger.forwards:
            raise RefusedError("unknown_forward", placeholders={"forward": forward_id})

    def _check_overlap(self, forward: Forward, replacing: str | None) -> None:
        """Refuse what another forward has, one that is tried just now included."""
        others = [
            other
            for forward_id, other in self._ledger.forwards.items()
            if forward_id != replacing
        ]
        check_overlap(forward, others + self._ledger.tried)

    def _standing(self, forward_id: str) -> Standing:
        return self._ledger.standing(forward_id, self._engine.links.reachable)

    def _is_closed(self, forward_id: str) -> bool:
        """Tell whether waiting is of no use: closed, or the router does not delete it."""
        if forward_id not in self._ledger.forwards:
            return True
        standing = self._standing(forward_id)
        return standing.status is not ForwardStatus.CLOSING or all(
            lease.is_kept for lease in standing.leases
        )

    def _is_free(self, forward_id: str) -> bool:
        """Tell whether nothing of a forward is left that could be closed from here."""
        if forward_id not in self._ledger.forwards:
            return True
        own = self._ledger.internal_addresses.values()
        return not any(
            lease.wish.third_party or lease.key.internal_address in own
            for lease in self._standing(forward_id).leases
            if not lease.is_kept
        )

    def _closes_at(self, duration: timedelta | None) -> float | None:
        if duration is None:
            return None
        return self._engine.clock.now() + duration.total_seconds()
