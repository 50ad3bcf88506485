"""Check the files of the repository that no other tool checks.

Every JSON, YAML and TOML file must parse, and no JSON object may have a key twice.
No file may contain a path of this machine, or the address of a mirror or package
index that this machine is set up to use: those are true here only.

Usage:   check_files.py
Example: .venv/bin/python scripts/check_files.py
"""

from collections.abc import Iterator
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tomllib

import yaml


def output_of(*command: str) -> str:
    """Return what a command prints, or nothing where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout if result.returncode == 0 else ""


def files() -> list[Path]:
    """Return the files that git has, or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [
        path for name in listed.split("\0") if name and (path := Path(name)).is_file()
    ]


def refuse_double_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object of which each key may come once."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} comes twice")
        found[key] = value
    return found


def syntax_error(path: Path, text: str) -> str | None:
    """Say what is wrong with a data file's syntax."""
    try:
        match path.suffix:
            case ".json":
                json.loads(text, object_pairs_hook=refuse_double_keys)
            case ".toml":
                tomllib.loads(text)
            case ".yaml" | ".yml":
                # Only composed: the tags of Home Assistant need no meaning here.
                list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (ValueError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    return None


def local_words() -> Iterator[str]:
    """Yield what is true on this machine only."""
    root = Path.cwd()
    if len(root.parent.parts) > 1:
        yield f"{root.parent}/"
    home = Path.home()
    if len(home.parts) > 2:  # /root stands in paths of every kind
        yield f"{home}/"
    settings = (
        output_of("apt-get", "indextargets", "--format", "$(SITE)/")
        + output_of("pip", "config", "list")
        + output_of(
            "python3",
            "-c",
            "from pip._internal.models.index import PyPI as p;"
            "print(f'https://{p.netloc}/ https://{p.file_storage_domain}/')",
        )
    )
    yield from set(re.findall(r"https?://([^/\s']+)", settings))


def main() -> int:
    """Print each fault, return 1 where there is one."""
    words = sorted(local_words())
    faults = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if error := syntax_error(path, text):
            faults.append(f"{path}: {error}")
        faults += [
            f"{path}:{number}: {word!r} is of this machine"
            for number, line in enumerate(text.splitlines(), start=1)
            for word in words
            if word in line
        ]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
