"""What runs on the host of the repository is pinned, and may do no more than it needs."""

from collections.abc import Iterator
import importlib
from pathlib import Path
import re
from typing import Any
import zipfile

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))

# `uses: owner/action@<40 hex digits> # what that was called`
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40} # \S+")


def steps(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs."""
    for job in yaml.safe_load(file.read_text())["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned(file: Path) -> None:
    """A tag can be moved to something else, a commit cannot."""
    used = re.findall(r"uses: (.*)", file.read_text())
    assert used
    for action in used:
        assert PINNED.fullmatch(action), action


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_permissions_are_few(file: Path) -> None:
    """Nothing is allowed but by a job, and only a release may be written to."""
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        writes = "write" in job.get("permissions", {}).values()
        assert writes == (file.stem == "release")
    for step in steps(file):
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_nothing_of_an_event_is_run(file: Path) -> None:
    """What strangers write, as a title or a tag, comes in as a variable."""
    for step in steps(file):
        assert "${{" not in step.get("run", "")


def test_the_release_is_made_as_it_was_tested() -> None:
    """The workflow and the test of the Marketplace use one script."""
    runs = [step.get("run", "") for step in steps(FOLDER / "release.yml")]
    assert 'python3 scripts/release_zip.py --tag "$TAG" pcp.zip' in runs
    assert (
        "release_zip.py" in (ROOT / "tests" / "lab" / "test_marketplace.py").read_text()
    )


@pytest.fixture
def release_zip(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("release_zip")


def test_zip(release_zip: Any, tmp_path: Path) -> None:
    """It has the integration's files at its root, and twice it is the same."""
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    release_zip.write(first)
    release_zip.write(second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
    assert {"manifest.json", "client/keeper.py", "translations/en.json"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name[0] in "/."]


def test_a_tag_of_another_version_is_refused(release_zip: Any) -> None:
    """The tag, the manifest, the project and the changelog are of one version."""
    faults = release_zip.version_faults("v99.0.0")
    assert len(faults) == 3
    version = release_zip.json.loads(
        (ROOT / "custom_components" / "pcp" / "manifest.json").read_text()
    )["version"]
    assert "manifest.json" not in " ".join(release_zip.version_faults(f"v{version}"))
