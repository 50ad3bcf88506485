"""The command behind `python -m tests.fuzz`: every target in turn, one process each."""

import argparse
from pathlib import Path
import re
import subprocess
import sys
import time

from .names import SHARES, shares_of

_ROOT = Path(__file__).parents[2]
FOLDER = _ROOT / ".local" / "fuzz"
# As large as a datagram can be that is not refused for its length, and a little more.
LONGEST = 1200
LIMITS = [f"-max_len={LONGEST}", "-rss_limit_mb=0"]


def main() -> int:
    """Fuzz what was asked for; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(SHARES))
    parser.add_argument("--runs", type=int, default=100_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for the corpus")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one input again")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SHARES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = arguments.names or list(SHARES)
    if arguments.replay is not None:
        return fuzz(names[0], arguments.folder, [str(arguments.replay)])[0]
    failures = 0
    for name, runs in shares_of(arguments.runs, names).items():
        started = time.monotonic()
        code, done = fuzz(
            name,
            arguments.folder,
            [*LIMITS, f"-runs={runs}", f"-seed={arguments.seed}"],
        )
        seconds = time.monotonic() - started
        verdict = "ok" if code == 0 else f"FOUND something, see {arguments.folder}"
        sys.stdout.write(f"{name:17} {done:10} inputs {seconds:7.0f} s  {verdict}\n")
        sys.stdout.flush()
        failures += code != 0
    return 1 if failures else 0


def fuzz(name: str, folder: Path, options: list[str]) -> tuple[int, int]:
    """Fuzz one target in a process; return its exit code and the number of inputs."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzzer", name, str(folder), *options],
        cwd=_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.stderr.write(process.stdout + process.stderr)
    done = re.search(r"^Done (\d+) runs", process.stderr, re.MULTILINE)
    return process.returncode, int(done[1]) if done else 0


if __name__ == "__main__":
    sys.exit(main())
