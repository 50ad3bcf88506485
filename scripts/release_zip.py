"""Make the file of a release: what HACS and the Marketplace unpack into their folder.

The files are those that git has below custom_components/pcp, in order and with the time
of the commit, so that the same commit makes the same octets. With --tag the version must
be the same everywhere: the tag (with or without a v), manifest.json, pyproject.toml and a
heading of CHANGELOG.md.

Usage:   release_zip.py [--tag TAG] FILE
Example: python3 scripts/release_zip.py --tag v0.1.0 pcp.zip
"""

import argparse
import json
from pathlib import Path
import re
import subprocess
import sys
import time
import tomllib
import zipfile

ROOT = Path(__file__).resolve().parent.parent
COMPONENT = Path("custom_components", "pcp")
# A zip file knows no earlier time.
EARLIEST = (1980, 1, 1, 0, 0, 0)


def git(*arguments: str) -> str:
    """Return what a git command says."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def component_files() -> list[Path]:
    """Return the integration's files that git has, relative to the root."""
    listed = git("ls-files", "-z", "--cached", "--", str(COMPONENT)).split("\0")
    return sorted(
        path for name in listed if name and (ROOT / (path := Path(name))).is_file()
    )


def commit_time() -> tuple[int, int, int, int, int, int]:
    """Return when the last commit was made, UTC."""
    moment = time.gmtime(int(git("log", "-1", "--format=%ct")))
    return max(EARLIEST, moment[:6])


def write(file: Path) -> None:
    """Write the zip file."""
    moment = commit_time()
    with zipfile.ZipFile(file, "w") as archive:
        for path in component_files():
            member = zipfile.ZipInfo(path.relative_to(COMPONENT).as_posix(), moment)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            archive.writestr(member, (ROOT / path).read_bytes())


def version_faults(tag: str) -> list[str]:
    """Say where the version is not the tag's."""
    version = tag.removeprefix("v")
    manifest = json.loads((ROOT / COMPONENT / "manifest.json").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = {
        "custom_components/pcp/manifest.json": manifest["version"],
        "pyproject.toml": project["project"]["version"],
    }
    faults = [f"{file} says {it}" for file, it in found.items() if it != version]
    if not re.search(rf"^## \[?{re.escape(version)}\b", changes, re.MULTILINE):
        faults.append("CHANGELOG.md has no heading for it")
    return faults


def main() -> int:
    """Do what the command line says; return 1 where the versions differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.tag is not None and (faults := version_faults(arguments.tag)):
        print(f"{arguments.tag} cannot be released: {'; '.join(faults)}")
        return 1
    write(arguments.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
