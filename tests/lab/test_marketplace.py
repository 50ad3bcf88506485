"""Home Assistant's own Marketplace installs the integration, and it works.

Nothing of Home Assistant is changed: it finds the names of the hosts it asks in a file
of its own for /etc/hosts, and trusts the authority that vouches for the stand-in.
"""

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import shlex
import socket
import subprocess
import sys
from typing import cast
import zipfile

import pytest

from tests.real_ha import ApiError, RealHomeAssistant
from tests.real_ha.client import FlowKind, Json
from tests.real_ha.process import INTEGRATION, PYTHON, ROOT

from . import certificates, repository_host
from .home import PORT, Home
from .network import ROUTER_ADDRESS, Network
from .router import Router
from .waiting import wait_until

pytestmark = pytest.mark.timeout(300)

TAG = "v0.1.0"
SERVICE = 8443
# An installation, or a start of the Marketplace, on a busy machine; seconds.
PATIENCE = 90.0

type Start = Callable[..., Home]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a release, as the workflow makes it."""
    file = tmp_path_factory.mktemp("release") / repository_host.ZIP
    script = ROOT / "scripts" / "release_zip.py"
    subprocess.run([sys.executable, str(script), str(file)], check=True)
    return file


@pytest.fixture
def start(
    network: Network, router: Router, release: Path, tmp_path: Path
) -> Iterator[Start]:
    """Start a Home Assistant as new, with the repository in the catalog or not."""
    authority, certificate = certificates.make(repository_host.HOSTS, tmp_path)
    hosts = tmp_path / "hosts"
    address = network.address("wan")
    lines = [f"{address} {name}" for name in repository_host.HOSTS]
    hosts.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
    home = Home(network, tmp_path / "config", quick=False)
    home.process = RealHomeAssistant(
        tmp_path / "config",
        port=PORT,
        python=python_with_hosts(hosts),
        network_prefix=("ip", "netns", "exec", network.namespace("lan")),
        environment={"REQUESTS_CA_BUNDLE": str(authority)},
        integration=None,
    )

    def started(*, listed: bool) -> Home:
        router.start()
        command = [sys.executable, "-m", "tests.lab.repository_host"]
        command += ["--certificate", str(certificate), "--zip", str(release)]
        command += ["--tag", TAG, *(["--listed"] if listed else [])]
        network.popen("wan", *command, cwd=ROOT)
        wait_until(
            lambda: network.call("wan", can_connect, address),
            "the stand-in",
            timeout=PATIENCE,
        )
        home.process.prepare()
        home.start()
        wait_until(lambda: is_up(home), "the Marketplace", timeout=PATIENCE)
        return home

    yield started
    if home.process.is_running:
        home.end()
        home.stop()


def python_with_hosts(hosts: Path) -> Path:
    """Return an interpreter that has another /etc/hosts, in a file system of its own."""
    script = hosts.with_name("python")
    mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, str(hosts), str(PYTHON)]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return script


def can_connect(address: str) -> bool:
    """Tell whether the stand-in listens."""
    try:
        socket.create_connection((address, 443), timeout=1).close()
    except OSError:
        return False
    return True


def repository(home: Home) -> Json:
    """Return what the Marketplace knows of the one repository it should know."""
    found = home.api.command("marketplace/repositories/list")
    (only,) = (it for it in found if it["category"] == "integration")
    return cast("Json", only)


def install(home: Home) -> None:
    """Install it as its user does, who was warned before."""
    home.api.command("marketplace/warning/accept")
    identifier = repository(home)["id"]
    home.api.command("marketplace/repository/install", repository=identifier)


def connect_github(home: Home) -> None:
    """Connect an account, as adding a repository that is not in the catalog wants."""
    flow_id = home.api.command("marketplace/github/connect")["flow_id"]
    result: Json = home.api.configure(FlowKind.CONFIG, flow_id, {})
    assert result["type"] == "progress", result
    # The code is typed meanwhile, somewhere else; a dialog looks again and again.
    path = f"config/config_entries/{FlowKind.CONFIG}/{flow_id}"
    wait_until(
        lambda: home.api.get(path)["type"] == "abort", "a token", timeout=PATIENCE
    )
    wait_until(lambda: is_up(home, connected=True), "the account", timeout=PATIENCE)


def is_up(home: Home, *, connected: bool = False) -> bool:
    """Tell whether the Marketplace runs, with an account or without."""
    try:
        told: Json = home.api.command("marketplace/info")
    except ApiError as error:
        if error.code == "not_loaded":
            return False
        raise
    return bool(told["stage"] == "running" and told["github_connected"] == connected)


def installed_files(home: Home) -> dict[str, bytes]:
    """Return what is in the integration's folder, but for what Python put there."""
    folder = home.process.config_dir / "custom_components" / "pcp"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_from_the_catalog(start: Start, release: Path) -> None:
    """Two clicks: what is installed is the release, and it is there without a restart."""
    home = start(listed=True)
    install(home)
    told = repository(home)
    assert (told["installed"], told["installed_version"]) == (True, TAG)
    assert told["status"] == "installed"
    with zipfile.ZipFile(release) as archive:
        expected = {it.filename: archive.read(it) for it in archive.infolist()}
    assert installed_files(home) == expected
    form = home.api.start_flow("pcp")
    assert (form["type"], form["step_id"]) == ("form", "user")
    home.check_log()


def test_as_a_repository_of_its_own(start: Start) -> None:
    """Added by its address: it opens a door, also after a restart, and goes as it came."""
    home = start(listed=False)
    home.api.command("marketplace/warning/accept")
    connect_github(home)
    manifest = json.loads((INTEGRATION / "manifest.json").read_text())
    address = manifest["documentation"]
    detected = home.api.command("marketplace/repositories/detect", repository=address)
    assert detected == {"categories": ["integration"]}
    home.api.command(
        "marketplace/repositories/add", repository=address, category="integration"
    )
    install(home)
    home.listen(SERVICE)
    home.add_router(ROUTER_ADDRESS)
    door = home.add("Web", SERVICE)
    assert home.passes(SERVICE)

    home.stop()
    home.start()
    door.wait_for("open", switch="on")
    assert home.passes(SERVICE)

    home.api.delete_entry(home.entry_id)
    assert not home.passes(SERVICE)
    identifier = repository(home)["id"]
    home.api.command("marketplace/repository/uninstall", repository=identifier)
    assert installed_files(home) == {}
    home.check_log()
