"""Which lease is meant: by mapping, by nonce, and a while after its end."""

from collections.abc import Iterator
from dataclasses import dataclass

from .codec import IPAddress, ResultCode, ThirdParty
from .lease import Lease
from .mapping import MappingKey, MappingWish, Protocol
from .timing import ROUND_TRIP
from .wire import MapAnswer

# So long after its end a mapping is still known, to give back what a late copy of a
# request makes again.
REMEMBERED = 120.0


@dataclass(frozen=True, slots=True)
class _Ended:
    wish: MappingWish
    remembered_until: float


class Table:
    """All leases on one server, to be found."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_key: dict[MappingKey, Lease] = {}
        self._by_nonce: dict[bytes, Lease] = {}
        self._ended: dict[bytes, _Ended] = {}

    def __iter__(self) -> Iterator[Lease]:
        """Go through them, as they are now, in the order of their mappings."""
        return iter(sorted(self._by_key.values(), key=lambda lease: lease.key.order))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_key)

    def get(self, key: MappingKey) -> Lease | None:
        """Return the lease of a mapping."""
        return self._by_key.get(key)

    def add(self, wish: MappingWish) -> Lease:
        """Begin a lease; raises ValueError when the mapping or the nonce has one."""
        if wish.key in self._by_key or wish.nonce in self._by_nonce:
            raise ValueError(f"there is a lease already for {wish.key}")
        lease = Lease(wish)
        self._by_key[wish.key] = lease
        self._by_nonce[wish.nonce] = lease
        self._ended.pop(wish.nonce, None)
        return lease

    def end(self, lease: Lease, *, now: float) -> None:
        """Let a lease go, and remember it for a while."""
        wish = lease.wish
        self.remove(wish.key)
        self._ended = {
            nonce: ended
            for nonce, ended in self._ended.items()
            if ended.remembered_until > now
        }
        self._ended[wish.nonce] = _Ended(wish, now + REMEMBERED)

    def remove(self, key: MappingKey) -> Lease | None:
        """Let a lease go at once, and return it."""
        lease = self._by_key.pop(key, None)
        if lease is not None:
            del self._by_nonce[lease.wish.nonce]
        return lease

    def knows_nonce(self, nonce: bytes | None) -> bool:
        """Tell whether a nonce is one of ours."""
        return nonce in self._by_nonce

    def of_answer(
        self, answer: MapAnswer, client_address: IPAddress, *, now: float
    ) -> Lease | None:
        """Return the lease that an answer is for. RFC 6887 11.4, 12.4, RFC 6886 3.3."""
        if answer.nonce is not None:
            lease = self._by_nonce.get(answer.nonce)
            return lease if lease and _is_of(answer, lease.key) else None
        if answer.internal_port == 0 and answer.result_code != ResultCode.SUCCESS:
            return self._only_unanswered(answer.protocol, now=now)
        lease = self._by_key.get(
            MappingKey(
                internal_address=client_address,
                protocol=Protocol(answer.protocol),
                internal_port=answer.internal_port,
            )
        )
        return lease if lease and lease.is_unanswered else None

    def revived_by(
        self, answer: MapAnswer, client_address: IPAddress, *, now: float
    ) -> Lease | None:
        """Return a new lease, unwanted, for one that ended and was granted after all."""
        if answer.result_code != ResultCode.SUCCESS or answer.lifetime == 0:
            return None
        for nonce, ended in self._ended.items():
            key = ended.wish.key
            if (
                ended.remembered_until > now
                and key not in self._by_key
                and _is_of(answer, key)
                and (
                    answer.nonce == nonce
                    or (answer.nonce is None and key.internal_address == client_address)
                )
            ):
                lease = self.add(ended.wish)
                lease.wanted = False
                return lease
        return None

    def _only_unanswered(self, protocol: int, *, now: float) -> Lease | None:
        """Return whom an error is for that does not name the mapping.

        Some NAT-PMP servers leave the port out of it. Of several that wait it is the
        one that has just asked.
        """
        asked = {
            lease: lease.unanswered_since
            for lease in self._by_key.values()
            if lease.unanswered_since is not None and lease.key.protocol == protocol
        }
        if len(asked) > 1:
            asked = {it: at for it, at in asked.items() if at > now - ROUND_TRIP}
        return next(iter(asked)) if len(asked) == 1 else None


def _is_of(answer: MapAnswer, key: MappingKey) -> bool:
    # Some servers do not return THIRD_PARTY: without it the nonce tells whose it is.
    return all(
        option.internal_address == key.internal_address
        for option in answer.options
        if isinstance(option, ThirdParty)
    ) and (answer.protocol, answer.internal_port, answer.remote) == (
        key.protocol,
        key.internal_port,
        key.remote,
    )
