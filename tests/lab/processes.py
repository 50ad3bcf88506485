"""Processes that outlive the call that started them, known by their pid files.

Only a process whose pid the lab wrote down and whose command line names the lab's
own folder is ever ended.
"""

import os
from pathlib import Path
import signal

from .waiting import wait_until

TERMINATION_TIMEOUT = 5.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def read_pid(pid_file: Path) -> int | None:
    """Return the pid written down in `pid_file` while that process runs."""
    try:
        pid = int(pid_file.read_text())
    except FileNotFoundError, ValueError:
        return None
    return pid if is_running(pid, pid_file.parent) else None


def is_running(pid: int, folder: Path) -> bool:
    """Tell whether `pid` is a process of the lab in `folder`, and no zombie."""
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError, ProcessLookupError:
        return False
    return os.fsencode(folder) in command_line


def end(pid_file: Path, *, hard: bool = False) -> None:
    """End the process of `pid_file` and wait until it is gone; TERM, then KILL."""
    pid = read_pid(pid_file)
    if pid is not None:
        if not hard:
            os.kill(pid, signal.SIGTERM)
            try:
                _wait_until_gone(pid, pid_file.parent)
            except TimeoutError:
                hard = True
        if hard:
            os.kill(pid, signal.SIGKILL)
            _wait_until_gone(pid, pid_file.parent)
    pid_file.unlink(missing_ok=True)


def age(pid: int) -> float:
    """Return the seconds since process `pid` was started."""
    # proc(5): starttime is field 22; the name before it may contain spaces
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - int(fields[19]) / CLOCK_TICKS


def _wait_until_gone(pid: int, folder: Path) -> None:
    wait_until(
        lambda: not is_running(pid, folder),
        f"the end of process {pid}",
        timeout=TERMINATION_TIMEOUT,
    )
