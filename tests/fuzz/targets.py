"""All targets by their names. Importing it imports what is fuzzed."""

from collections.abc import Callable

from . import codec_targets, keeper_targets

type Target = Callable[[bytes], None]

_CODECS: dict[str, Target] = {
    "pcp-request": codec_targets.pcp_request,
    "pcp-response": codec_targets.pcp_response,
    "nat-pmp-request": codec_targets.nat_pmp_request,
    "nat-pmp-response": codec_targets.nat_pmp_response,
    "answer": codec_targets.answer,
    "dhcp-answer": codec_targets.dhcp_answer,
    "dhcpv6-answer": codec_targets.dhcpv6_answer,
}


def target_of(name: str) -> Target:
    """Return a target, ready to be fed."""
    if name in _CODECS:
        return _CODECS[name]
    return keeper_targets.KeeperTarget(keeper_targets.STATES[name])
