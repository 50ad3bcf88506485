"""What can be fuzzed, and how much of the inputs it gets. Imports nothing of it."""

# A keeper takes some twenty times as long as a codec.
SHARES = {
    "pcp-request": 14,
    "pcp-response": 20,
    "nat-pmp-request": 10,
    "nat-pmp-response": 10,
    "answer": 16,
    "dhcp-answer": 10,
    "dhcpv6-answer": 10,
    "keeper-fresh": 2,
    "keeper-granted": 3,
    "keeper-releasing": 2,
    "keeper-nat-pmp": 3,
}


def shares_of(runs: int, names: list[str]) -> dict[str, int]:
    """Divide a number of inputs among targets."""
    total = sum(SHARES[name] for name in names)
    return {name: -(-runs * SHARES[name] // total) for name in names}
