"""A client of PCP (RFC 6887) and NAT-PMP (RFC 6886): no Home Assistant in it."""
