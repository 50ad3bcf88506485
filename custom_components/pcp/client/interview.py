"""The questions of a probe and what the answers mean. Sans-io.

The probe opens nothing: ANNOUNCE, then the deletion of a mapping that was never made,
then NAT-PMP's question for the external address where PCP is not spoken.
"""

from enum import StrEnum

from .codec import DecodeError, IPAddress, ResultCode
from .events import ServerProtocol
from .wire import (
    MapAnswer,
    StatusAnswer,
    announce_request,
    external_address_request,
    probe_request,
    read,
)

# NAT-PMP's question is kept back until PCP had its chances. RFC 6887 appendix A.
_NAT_PMP_FROM_ROUND = 2
# So many MAP requests without an answer, and NAT-PMP's answer counts alone.
_PCP_CHANCES = 2


class ProbeOutcome(StrEnum):
    """What a probe found out."""

    PCP = "pcp"
    NAT_PMP = "nat_pmp"
    NOT_AUTHORIZED = "not_authorized"
    """It speaks one of the protocols and refuses us."""
    ADDRESS_MISMATCH = "address_mismatch"
    """Another NAT lies between us and it. RFC 6887 8.2."""
    NOT_SUPPORTED = "not_supported"
    """There is a host, and no server on it that serves us."""
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    """The network does not lead there."""


_REFUSALS: dict[int, ProbeOutcome] = {
    ResultCode.NOT_AUTHORIZED: ProbeOutcome.NOT_AUTHORIZED,
    ResultCode.AUTHENTICATION_REQUIRED: ProbeOutcome.NOT_AUTHORIZED,
    ResultCode.ADDRESS_MISMATCH: ProbeOutcome.ADDRESS_MISMATCH,
}


class Interview:
    """One probe's state: what was asked, what was heard.

    `requests` gives the datagrams of the next round and `receive` those that an answer
    calls for at once. `outcome` is None until it is certain; `conclude` settles it.
    `nonce` is 12 random octets.
    """

    def __init__(self, *, client_address: IPAddress, nonce: bytes) -> None:
        self.outcome: ProbeOutcome | None = None
        self.external_address: IPAddress | None = None
        self.epoch_time: int | None = None
        self._client_address = client_address
        self._nonce = nonce
        self._rounds = 0
        self._maps_sent = 0
        self._heard = False
        self._announced: ResultCode | int | None = None
        self._map_unsupported = False
        self._version_refused = False
        self._nat_pmp: ResultCode | int | None = None

    def requests(self) -> list[bytes]:
        """Return what to send in the next round; the first is ANNOUNCE alone."""
        if self._maps_sent >= _PCP_CHANCES:
            self._settle_for_nat_pmp()
        if self.outcome is not None:
            return []
        datagrams = []
        if self._announced is None:
            datagrams.append(announce_request(client_address=self._client_address))
        if self._rounds and not self._map_unsupported:
            datagrams += self._ask_map()
        if self._rounds >= _NAT_PMP_FROM_ROUND and (
            self._announced is None or self._map_unsupported
        ):
            datagrams += self._ask_external_address()
        self._rounds += 1
        return datagrams

    def receive(self, data: bytes) -> list[bytes]:
        """Take a datagram from the server; return what to send because of it."""
        try:
            answer = read(data)
        except DecodeError:
            self._heard = True
            return []
        match answer:
            case MapAnswer() if answer.nonce != self._nonce:
                return []
            case MapAnswer():
                datagrams = self._on_map_answer(answer)
            case StatusAnswer(spoken=ServerProtocol.PCP):
                datagrams = self._on_announce_answer(answer)
            case StatusAnswer():
                datagrams = self._on_external_address_answer(answer)
            case _:
                datagrams = self._on_version_answer()
        self._heard = True
        return datagrams

    def refuse(self) -> None:
        """Take an ICMP refusal; of a host that has answered it is no news."""
        if not self._heard:
            self.outcome = ProbeOutcome.NOT_SUPPORTED

    def lose_way(self) -> None:
        """Take the kernel's word that nothing leads to the host."""
        if not self._heard:
            self.outcome = ProbeOutcome.UNREACHABLE

    def conclude(self) -> ProbeOutcome:
        """Return the outcome, now that the time is over."""
        self._settle_for_nat_pmp()
        if self.outcome is None:
            if self._announced is not None and not self._map_unsupported:
                self.outcome = _REFUSALS.get(self._announced, ProbeOutcome.PCP)
            elif self._heard:
                self.outcome = ProbeOutcome.NOT_SUPPORTED
            else:
                self.outcome = ProbeOutcome.SILENT
        return self.outcome

    def _on_announce_answer(self, answer: StatusAnswer) -> list[bytes]:
        self._announced = answer.result_code
        self.epoch_time = answer.epoch_time
        return [] if self._maps_sent else self._ask_map()

    def _on_map_answer(self, answer: MapAnswer) -> list[bytes]:
        self.epoch_time = answer.epoch_time
        if answer.result_code == ResultCode.UNSUPP_OPCODE:
            self._map_unsupported = True
            self._settle_for_nat_pmp()
            return self._ask_external_address()
        if answer.assigned_external_address is not None:
            self.external_address = answer.assigned_external_address
        # Whatever else it thinks of deleting nothing (miniupnpd: NO_RESOURCES), it is
        # a PCP server that maps.
        self.outcome = _REFUSALS.get(answer.result_code, ProbeOutcome.PCP)
        return []

    def _on_version_answer(self) -> list[bytes]:
        # Some answer ANNOUNCE in NAT-PMP and MAP in PCP (AirPort base stations).
        if not self._maps_sent:
            return self._ask_map() + self._ask_external_address()
        self._version_refused = True
        self._settle_for_nat_pmp()
        return self._ask_external_address()

    def _on_external_address_answer(self, answer: StatusAnswer) -> list[bytes]:
        self.epoch_time = answer.epoch_time
        if answer.result_code in {
            ResultCode.UNSUPP_OPCODE,
            ResultCode.UNSUPP_VERSION,
        }:
            return []
        self._nat_pmp = answer.result_code
        if answer.external_address is not None:
            self.external_address = answer.external_address
        if self._version_refused or self._map_unsupported:
            self._settle_for_nat_pmp()
        return [] if self._maps_sent else self._ask_map()

    def _settle_for_nat_pmp(self) -> None:
        if self.outcome is None and self._nat_pmp is not None:
            if self._announced is None or self._map_unsupported:
                self.outcome = _REFUSALS.get(self._nat_pmp, ProbeOutcome.NAT_PMP)

    def _ask_map(self) -> list[bytes]:
        self._maps_sent += 1
        return [probe_request(client_address=self._client_address, nonce=self._nonce)]

    def _ask_external_address(self) -> list[bytes]:
        """Ask in NAT-PMP, which knows IPv4 only."""
        if self.outcome is not None or self._client_address.version != 4:
            return []
        return [external_address_request()]
