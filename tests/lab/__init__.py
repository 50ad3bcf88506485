"""A real router in a laboratory of network namespaces.

Debian's miniupnpd serves a LAN that reaches nothing outside. `Network` is the
cabling, `Router` the box. Needs root; see requirements.py. By hand:
`python -m tests.lab up`.
"""
