"""A client of a router core, in a clock that stands still until it is moved."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from custom_components.pcp.client.codec import (
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpRequest,
    NatPmpResponse,
    Option,
    Request,
    Response,
    decode_nat_pmp_response,
    decode_response,
    encode,
    encode_nat_pmp,
)
from tests.simulated_router import PERSONALITIES, Personality, RouterCore

EXTERNAL = IPv4Address("127.0.99.1")
CLIENT = IPv4Address("192.168.77.2")
OTHER_HOST = IPv4Address("192.168.77.3")
CLIENT_6 = IPv6Address("2001:db8:77::2")
NONCE = bytes(range(1, 13))
OTHER_NONCE = bytes(range(33, 45))
TCP, UDP = 6, 17


class Asking:
    """One router and one client of it."""

    def __init__(
        self,
        personality: str = "rfc",
        *,
        external_address: IPv4Address | None = EXTERNAL,
        epoch_time: int = 0,
        **changes: object,
    ) -> None:
        """Start a router, with some fields of its personality changed."""
        self.now = 1000.0
        changed: Personality = replace(PERSONALITIES[personality], **changes)  # type: ignore[arg-type]
        self.core = RouterCore(
            changed,
            external_address=external_address,
            now=self.now,
            epoch_time=epoch_time,
        )

    def raw(self, data: bytes, source: IPAddress = CLIENT) -> bytes | None:
        """Send octets and return those that come back."""
        replies = self.core.receive(data, (source, 40000), now=self.now)
        assert len(replies) <= 1
        if not replies:
            return None
        assert replies[0].destination == (source, 40000)
        return replies[0].data

    def pcp(self, request: Request, source: IPAddress = CLIENT) -> Response:
        """Send a PCP request and return the answer that must come."""
        answer = self.raw(encode(request), source)
        assert answer is not None
        return decode_response(answer)

    def nat_pmp(self, request: NatPmpRequest) -> NatPmpResponse:
        """Send a NAT-PMP request and return the answer that must come."""
        answer = self.raw(encode_nat_pmp(request))
        assert answer is not None
        return decode_nat_pmp_response(answer)

    def map(
        self,
        *options: Option,
        source: IPAddress = CLIENT,
        lifetime: int = 3600,
        nonce: bytes = NONCE,
        protocol: int = TCP,
        internal_port: int = 8123,
        suggested_port: int = 0,
        suggested_address: IPAddress | str | None = None,
        client_address: IPAddress | None = None,
    ) -> MapResponse:
        """Send a MAP and return the answer that must come."""
        unknown = "0.0.0.0" if source.version == 4 else "::"
        response = self.pcp(
            MapRequest(
                client_address=client_address or source,
                lifetime=lifetime,
                nonce=nonce,
                protocol=protocol,
                internal_port=internal_port,
                suggested_external_port=suggested_port,
                suggested_external_address=ip_address(suggested_address or unknown),
                options=options,
            ),
            source,
        )
        assert isinstance(response, MapResponse)
        assert response.nonce == nonce
        assert response.internal_port == internal_port
        return response

    def ports(self) -> list[int]:
        """Return the external ports of all mappings."""
        self.core.tick(now=self.now)
        return [mapping.external_port for mapping in self.core.mappings]
