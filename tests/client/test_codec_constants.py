"""The numbers of the registries, told once more beside their RFC sections."""

import dataclasses

import pytest

from custom_components.pcp.client import codec
from custom_components.pcp.client.codec import (
    ANNOUNCE_PORT,
    MAX_DATAGRAM,
    SERVER_PORT,
    DecodeError,
    DropReason,
    NatPmpOpcode,
    NatPmpResult,
    Opcode,
    OptionCode,
    ResultCode,
)


def test_ports() -> None:
    """19.1: servers listen on 5351, clients hear announcements on 5350."""
    assert (SERVER_PORT, ANNOUNCE_PORT) == (5351, 5350)


def test_longest_message() -> None:
    """7: a message has at most 1100 octets."""
    assert MAX_DATAGRAM == 1100


def test_opcodes() -> None:
    """19.2, RFC 7652: ANNOUNCE is 0."""
    assert [opcode.name for opcode in Opcode] == [
        "ANNOUNCE",
        "MAP",
        "PEER",
        "AUTHENTICATION",
    ]
    assert list(Opcode) == list(range(4))


def test_option_codes() -> None:
    """19.4, RFC 7220, 7225, 7652, 7753, 7843: from 128 on they are optional."""
    assert {code.name: code.value for code in OptionCode} == {
        "THIRD_PARTY": 1,
        "PREFER_FAILURE": 2,
        "FILTER": 3,
        "NONCE": 4,
        "AUTHENTICATION_TAG": 5,
        "PA_AUTHENTICATION_TAG": 6,
        "EAP_PAYLOAD": 7,
        "PRF": 8,
        "MAC_ALGORITHM": 9,
        "SESSION_LIFETIME": 10,
        "RECEIVED_PAK": 11,
        "ID_INDICATOR": 12,
        "THIRD_PARTY_ID": 13,
        "DESCRIPTION": 128,
        "PREFIX64": 129,
        "PORT_SET": 130,
    }


@pytest.mark.parametrize(
    ("value", "name", "long_lived"),
    [
        (0, "SUCCESS", False),
        (1, "UNSUPP_VERSION", True),
        (2, "NOT_AUTHORIZED", True),
        (3, "MALFORMED_REQUEST", True),
        (4, "UNSUPP_OPCODE", True),
        (5, "UNSUPP_OPTION", True),
        (6, "MALFORMED_OPTION", True),
        (7, "NETWORK_FAILURE", False),
        (8, "NO_RESOURCES", False),
        (9, "UNSUPP_PROTOCOL", True),
        (10, "USER_EX_QUOTA", False),
        (11, "CANNOT_PROVIDE_EXTERNAL", False),
        (12, "ADDRESS_MISMATCH", True),
        (13, "EXCESSIVE_REMOTE_PEERS", True),
        (14, "INITIATION", True),
        (15, "AUTHENTICATION_REQUIRED", True),
        (16, "AUTHENTICATION_FAILED", True),
        (17, "AUTHENTICATION_SUCCEEDED", True),
        (18, "AUTHORIZATION_FAILED", True),
        (19, "SESSION_TERMINATED", True),
        (20, "UNKNOWN_SESSION_ID", True),
        (21, "DOWNGRADE_ATTACK_DETECTED", True),
        (22, "AUTHENTICATION_REQUEST", True),
        (23, "AUTHENTICATION_REPLY", True),
        (24, "THIRD_PARTY_ID_UNKNOWN", True),
        (25, "THIRD_PARTY_MISSING_OPTION", True),
        (26, "UNSUPP_THIRD_PARTY_ID_LENGTH", True),
    ],
)
def test_result_codes(value: int, name: str, long_lived: bool) -> None:
    """7.4, RFC 7652, 7843: each result code, and whether the error lasts."""
    assert ResultCode(value).name == name
    assert ResultCode(value).long_lived is long_lived


def test_no_other_result_codes() -> None:
    """7.4: 27 and above have no name yet."""
    assert list(ResultCode) == list(range(27))


def test_nat_pmp_numbers() -> None:
    """RFC 6886 3.2, 3.3, 3.5: opcodes and result codes."""
    assert {opcode.name: opcode.value for opcode in NatPmpOpcode} == {
        "EXTERNAL_ADDRESS": 0,
        "MAP_UDP": 1,
        "MAP_TCP": 2,
    }
    assert {code.name: code.value for code in NatPmpResult} == {
        "SUCCESS": 0,
        "UNSUPP_VERSION": 1,
        "NOT_AUTHORIZED": 2,
        "NETWORK_FAILURE": 3,
        "OUT_OF_RESOURCES": 4,
        "UNSUPP_OPCODE": 5,
    }


def test_decode_error_tells_its_reason() -> None:
    """A bad datagram is counted by reason, and told in words."""
    error = DecodeError(DropReason.LENGTH, "3 octets")
    assert isinstance(error, ValueError)
    assert error.reason == "length"
    assert str(error) == "length: 3 octets"


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for name in codec.__all__
        if isinstance(kind := getattr(codec, name), type)
        and dataclasses.is_dataclass(kind)
    ],
)
def test_messages_are_values(kind: type) -> None:
    """A message cannot change, has no room for more, and names all its fields."""
    parameters = kind.__dataclass_params__  # type: ignore[attr-defined]
    assert parameters.frozen
    assert not hasattr(object.__new__(kind), "__dict__")
    assert all(field.kw_only for field in dataclasses.fields(kind))
