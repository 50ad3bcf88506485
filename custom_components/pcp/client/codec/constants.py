"""Numbers of PCP (RFC 6887) and NAT-PMP (RFC 6886) as they stand on the wire."""

from enum import IntEnum

# RFC 6887 19.1: the UDP port a server listens on, for PCP and NAT-PMP alike.
SERVER_PORT = 5351
# RFC 6887 19.1: the UDP port clients listen on for multicast announcements.
ANNOUNCE_PORT = 5350
# RFC 6887 7: the longest PCP message, octets of UDP payload.
MAX_DATAGRAM = 1100
# RFC 6887 9: the only version this codec speaks.
PCP_VERSION = 2
# RFC 6886 3.2: NAT-PMP's version; it tells the two protocols apart on one port.
NAT_PMP_VERSION = 0
# RFC 6887 11.1: octets of a mapping nonce.
NONCE_LENGTH = 12
# RFC 6887 7.1, 7.2: the top bit of the opcode octet, set in every response.
RESPONSE_BIT = 0x80


class Opcode(IntEnum):
    """What a PCP message is about. RFC 6887 19.2, RFC 7652."""

    ANNOUNCE = 0
    MAP = 1
    PEER = 2
    AUTHENTICATION = 3


class ResultCode(IntEnum):
    """How a PCP server answered. RFC 6887 7.4, RFC 7652, RFC 7843."""

    SUCCESS = 0
    UNSUPP_VERSION = 1
    NOT_AUTHORIZED = 2
    MALFORMED_REQUEST = 3
    UNSUPP_OPCODE = 4
    UNSUPP_OPTION = 5
    MALFORMED_OPTION = 6
    NETWORK_FAILURE = 7
    NO_RESOURCES = 8
    UNSUPP_PROTOCOL = 9
    USER_EX_QUOTA = 10
    CANNOT_PROVIDE_EXTERNAL = 11
    ADDRESS_MISMATCH = 12
    EXCESSIVE_REMOTE_PEERS = 13
    INITIATION = 14
    AUTHENTICATION_REQUIRED = 15
    AUTHENTICATION_FAILED = 16
    AUTHENTICATION_SUCCEEDED = 17
    AUTHORIZATION_FAILED = 18
    SESSION_TERMINATED = 19
    UNKNOWN_SESSION_ID = 20
    DOWNGRADE_ATTACK_DETECTED = 21
    AUTHENTICATION_REQUEST = 22
    AUTHENTICATION_REPLY = 23
    THIRD_PARTY_ID_UNKNOWN = 24
    THIRD_PARTY_MISSING_OPTION = 25
    UNSUPP_THIRD_PARTY_ID_LENGTH = 26

    @property
    def long_lived(self) -> bool:
        """Tell whether the error is one that lasts: 30 min rather than 30 s.

        False for SUCCESS. RFC 6887 7.4 leaves CANNOT_PROVIDE_EXTERNAL to the
        reason; it counts as short, because a taken port may be free again soon.
        """
        return self not in _NOT_LONG_LIVED


_NOT_LONG_LIVED = frozenset(
    {
        ResultCode.SUCCESS,
        ResultCode.NETWORK_FAILURE,
        ResultCode.NO_RESOURCES,
        ResultCode.USER_EX_QUOTA,
        ResultCode.CANNOT_PROVIDE_EXTERNAL,
    }
)


class OptionCode(IntEnum):
    """What a PCP option is; from 128 on a server may ignore it. RFC 6887 19.4."""

    THIRD_PARTY = 1
    PREFER_FAILURE = 2
    FILTER = 3
    NONCE = 4
    AUTHENTICATION_TAG = 5
    PA_AUTHENTICATION_TAG = 6
    EAP_PAYLOAD = 7
    PRF = 8
    MAC_ALGORITHM = 9
    SESSION_LIFETIME = 10
    RECEIVED_PAK = 11
    ID_INDICATOR = 12
    THIRD_PARTY_ID = 13
    DESCRIPTION = 128
    PREFIX64 = 129
    PORT_SET = 130


class NatPmpOpcode(IntEnum):
    """What a NAT-PMP request asks for; an answer has 128 added. RFC 6886 3.5."""

    EXTERNAL_ADDRESS = 0
    MAP_UDP = 1
    MAP_TCP = 2


class NatPmpResult(IntEnum):
    """How a NAT-PMP server answered. RFC 6886 3.5."""

    SUCCESS = 0
    UNSUPP_VERSION = 1
    NOT_AUTHORIZED = 2
    NETWORK_FAILURE = 3
    OUT_OF_RESOURCES = 4
    UNSUPP_OPCODE = 5
