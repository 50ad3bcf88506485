"""What the first release has stored is taken up: now, and by every release to come.

Home Assistant writes the entry into `core.config_entries` and the store beside it. Who
changes what is stored adds fixtures of his own, and leaves these as they are.
"""

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.config_flow import PcpConfigFlow
from custom_components.pcp.storage import LedgerStore

from .glue import with_mac
from .house import House

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

FIXTURES = Path(__file__).parent / "fixtures" / "first_release"
MAC = "02:00:5e:00:53:01"
HOME, CAMERA, VPN, CERTIFICATE = (
    "01M82PPD6RNY8Q098P9MM2N94F",
    "01M82PPDB341WF81DMXGJ3Z8KX",
    "01M82PPDDPDHRBV2E0EJA7EK7Z",
    "01M82PPDFGDHRBV2E0EJA7EK80",
)
LEASE_OF_NOBODY = 5000


def fixture(name: str, house: House) -> dict[str, Any]:
    """Read a fixture, with the addresses of the test's own router and host."""
    text = (FIXTURES / name).read_text()
    text = text.replace('"192.0.2.1"', f'"{house.router.address}"')
    found: dict[str, Any] = json.loads(text.replace('"192.0.2.2"', '"127.0.0.1"'))
    return found


async def start(house: House) -> None:
    """Start with what was stored then."""
    stored = fixture("entry.json", house)
    subentries = [
        ConfigSubentry(**it | {"data": MappingProxyType(it["data"])})
        for it in stored["subentries"]
    ]
    names = ("data", "domain", "entry_id", "minor_version", "options", "source")
    house.entry = MockConfigEntry(
        **{name: stored[name] for name in (*names, "title", "unique_id", "version")}
    )
    house.entry.subentries = MappingProxyType(
        {subentry.subentry_id: subentry for subentry in subentries}
    )
    house.entry.add_to_hass(house.hass)
    document = fixture("store.json", house)
    house.storage[document["key"]] = document
    with with_mac({house.router.address: MAC}):
        await house.start()
        await house.wait(5)


async def test_every_wish_is_what_it_was(house: House) -> None:
    """And what is said of it is what was granted."""
    await start(house)
    ids = [HOME, CAMERA, VPN, CERTIFICATE]
    assert house.ids() == ids
    assert [house.is_on(it) for it in ids] == [True, True, False, True]
    assert [house.status(it) for it in ids] == ["open", "open", "closing", "open"]
    assert house.view(HOME).external_address == "203.0.113.5"
    assert house.view(CAMERA).external_port == 40000
    assert len(house.view(CAMERA).mappings) == 4
    ends_at = house.view(CERTIFICATE).closes_at
    assert ends_at is not None
    assert ends_at.timestamp() == pytest.approx(1795350600, abs=1)
    assert house.issues() == []
    stored = fixture("entry.json", house)
    assert dict(house.entry.data) == stored["data"]
    assert dict(house.entry.options) == stored["options"]
    assert house.entry.version == 1


def test_every_version_has_fixtures(house: House) -> None:
    """A new version of entry or Store has fixtures of its own, for those after it."""
    folders = list(FIXTURES.parent.glob("*_release"))
    entries = [json.loads((it / "entry.json").read_text()) for it in folders]
    stores = [json.loads((it / "store.json").read_text()) for it in folders]
    flow, store = PcpConfigFlow, LedgerStore(house.hass, "any")._store
    assert {"version": flow.VERSION, "minor_version": flow.MINOR_VERSION} in [
        {name: it[name] for name in ("version", "minor_version")} for it in entries
    ]
    assert (store.version, store.minor_version) in [
        (it["version"], it["minor_version"]) for it in stores
    ]


async def test_every_lease_goes_on_with_its_nonce(house: House) -> None:
    """What is not known to be granted is asked about; of the rest nothing is new."""
    await start(house)
    stored = fixture("store.json", house)["data"]["leases"]
    nonces = {it["nonce"]: it["internal_port"] for it in stored}
    await house.wait(2 * 3600)
    assert house.maps()
    for request in house.maps():
        assert nonces[request.nonce.hex()] == request.internal_port
    assert {8123, 9000, 9001} <= {it.internal_port for it in house.maps()}


async def test_what_nobody_wants_is_closed(house: House) -> None:
    """A lease without a forward is given back, and the temporary forward removed."""
    await start(house)
    deleted = [it.internal_port for it in house.maps() if not it.lifetime]
    assert deleted == [LEASE_OF_NOBODY]
    await house.wait(1800)
    assert house.ids() == [HOME, CAMERA, VPN]
    assert 80 in [it.internal_port for it in house.maps() if not it.lifetime]
