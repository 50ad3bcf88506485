"""What the lab needs of the machine, and what of it is missing."""

import os
from pathlib import Path
import shutil
import sys

# tool: the Debian package that brings it
TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "dnsmasq": "dnsmasq-base",
    "faketime": "faketime",
    "miniupnpd": "miniupnpd and miniupnpd-nftables",
}


def missing() -> list[str]:
    """Return, in words, what must be there and is not."""
    if sys.platform != "linux":
        return ["Linux"]
    lacking = [] if _is_root() else ["root, with CAP_SYS_ADMIN and CAP_NET_ADMIN"]
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            lacking.append(f"{tool} (Debian: {package})")
    daemon = shutil.which("miniupnpd")
    if daemon is not None and b"libnftnl" not in Path(daemon).read_bytes():
        lacking.append("miniupnpd built for nftables (Debian: miniupnpd-nftables)")
    return lacking


def _is_root() -> bool:
    """A container's root may lack what makes namespaces."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    net_admin, sys_admin = 1 << 12, 1 << 21  # linux/capability.h
    return os.geteuid() == 0 and all(effective & c for c in (net_admin, sys_admin))
