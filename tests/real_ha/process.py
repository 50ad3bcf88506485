"""One Home Assistant in a process of its own: prepared, started, ended.

It needs no package index and no Internet (`--skip-pip`), and may run inside a network
namespace. Only processes started here are ever ended.
"""

from collections.abc import Mapping, Sequence
import json
import os
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.lab.waiting import wait_until

from .client import POLL_INTERVAL, HomeAssistantApi
from .connection import ApiError

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "pcp"
PYTHON = ROOT / ".venv-ha" / "bin" / "python"
# Nets against hangs, on however busy a machine.
START_TIMEOUT = 300.0
STOP_TIMEOUT = 60.0
# What `homeassistant.restart` makes Home Assistant exit with.
RESTART_EXIT_CODE = 100

CONFIGURATION = """\
homeassistant:
  name: Home
  country: GB
  language: en
  currency: GBP
  unit_system: metric
  time_zone: {time_zone}
api:
config:
frontend:
websocket_api:
history:
logbook:
lovelace:
automation: []
script: {{}}
system_log:
my:
person:
recorder:
  commit_interval: 1
logger:
  default: info
  logs:
    custom_components.pcp: {level}
"""


def ending_with_us(command: Sequence[str]) -> list[str]:
    """Return the command so that its process ends with the thread that starts it.

    A test run that is killed must leave nothing behind. Without util-linux nothing is
    changed.
    """
    setpriv = shutil.which("setpriv")
    return [*((setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()), *command]


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealHomeAssistant:
    """A Home Assistant with this integration, an owner and a token.

    `network_prefix` is put before the command, as `["ip", "netns", "exec", NAME]`: the
    process then listens on every address of that namespace, and `api` reaches it
    through a Unix socket. Without it, it listens on 127.0.0.1 alone.
    `configuration` is YAML that is added to configuration.yaml. With None for
    `integration` there is none until somebody installs it.
    Without `is_onboarded` nobody has opened it yet: there is no user, hence no token
    until `take_token`.
    As a context manager: prepared, started and up; stopped at the end.
    """

    def __init__(
        self,
        config_dir: Path,
        *,
        port: int,
        python: Path = PYTHON,
        network_prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        integration: Path | None = INTEGRATION,
        configuration: str = "",
        user: str = "demo",
        password: str = "demo",
        time_zone: str = "UTC",
        debug: bool = False,
        is_onboarded: bool = True,
    ) -> None:
        self.config_dir = config_dir
        self.port = port
        self.user = user
        self.password = password
        self._python = python
        self._network_prefix = tuple(network_prefix)
        self._environment = dict(environment or {})
        self._integration = integration
        self._is_onboarded = is_onboarded
        self._configuration = CONFIGURATION.format(
            time_zone=time_zone, level="debug" if debug else "info"
        )
        self._configuration += configuration
        self._process: subprocess.Popen[bytes] | None = None
        self._proxy: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        self._token: str | None = None

    @property
    def url(self) -> str:
        """Where a browser in the same network namespace finds it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        """Everything that all its starts have printed."""
        return self.config_dir / "output.log"

    @property
    def api(self) -> HomeAssistantApi:
        """A client for it, with the owner's token. Needs `prepare` before."""
        if not self._token:
            raise RuntimeError("prepare() comes first, or take_token()")
        return self._api(self._token)

    def _api(self, token: str) -> HomeAssistantApi:
        return HomeAssistantApi(
            token,
            port=self.port,
            unix_socket=self._socket_dir and self._socket_dir / "http",
        )

    @property
    def exit_code(self) -> int | None:
        """The code it exited with; None before the first start and while it runs."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        """The process that was started last; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """What it has printed so far."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def prepare(self) -> str:
        """Fill the configuration folder; return a long-lived access token.

        What an earlier `prepare` or a run has left there is kept.
        """
        self.config_dir.mkdir(parents=True, exist_ok=True)
        (self.config_dir / "configuration.yaml").write_text(
            self._configuration, encoding="utf-8"
        )
        self._link_integration()
        host = None if self._network_prefix else "127.0.0.1"
        wanted: dict[str, Any] = {"port": self.port, "host": host}
        file = self.config_dir / "access.json"
        access: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        if access | wanted != access:
            token = self._run_first_start(host) or access.get("token", "")
            access = wanted | {"token": token}
            file.write_text(json.dumps(access))
        self._token = str(access["token"])
        return self._token

    def take_token(self, token: str) -> None:
        """Use the access token of somebody who has logged in."""
        self._token = token

    def _link_integration(self) -> None:
        if self._integration is None:
            return
        link = self.config_dir / "custom_components" / self._integration.name
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self._integration, target_is_directory=True)

    def _run_first_start(self, host: str | None) -> str:
        script = Path(__file__).with_name("first_start.py")
        command: list[str | Path] = [self._python, "-P", script, self.config_dir]
        command += ["--user", self.user, "--password", self.password]
        command += ["--port", str(self.port)]
        if host:
            command += ["--host", host]
        if not self._is_onboarded:
            command += ["--nobody"]
        return subprocess.run(
            command,
            check=True,
            env=os.environ | self._environment,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def start(self) -> None:
        """Start the process and return at once. Needs `prepare` before."""
        if self.is_running:
            raise RuntimeError("it is running already")
        command = [*self._network_prefix, str(self._python), "-P", "-m"]
        command += ["homeassistant", "--config", str(self.config_dir)]
        command += ["--skip-pip", "--log-no-color"]
        with self.log_file.open("ab") as log:
            # In a session of its own a Ctrl-C at the terminal does not reach it: it
            # is ended by stop(), once.
            self._process = subprocess.Popen(
                ending_with_us(command),
                cwd=self.config_dir,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self._network_prefix:
            self._start_proxy()

    def _start_proxy(self) -> None:
        # Not in the configuration folder: a socket's path has at most 107 bytes.
        self._socket_dir = Path(tempfile.mkdtemp(prefix="real-ha-"))
        command = [*self._network_prefix, sys.executable, "-m", "tests.real_ha.proxy"]
        command += [str(self._socket_dir / "http"), str(self.port)]
        self._proxy = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
        )

    def wait_until_up(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until it has started, with every config entry set up or retrying."""

        def running() -> bool:
            if not self.is_running:
                raise RuntimeError(
                    f"Home Assistant ended with {self.exit_code}:\n{self.log()[-3000:]}"
                )
            try:
                if not self._token:
                    return bool(self._api("").get("onboarding"))
                state: str = self.api.get("config")["state"]
            except ApiError, OSError, aiohttp.ClientError:
                return False
            return state == "RUNNING"

        wait_until(
            running,
            f"Home Assistant on {self.url}",
            timeout=timeout,
            interval=POLL_INTERVAL,
        )

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End it with SIGTERM and wait: it says goodbye and writes its storage."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout)
        self._end_proxy()

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._end_proxy()

    def _end_proxy(self) -> None:
        if self._proxy is not None:
            assert self._proxy.stdin is not None
            self._proxy.stdin.close()
            self._proxy.terminate()
            self._proxy.wait()
            self._proxy = None
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir)
            self._socket_dir = None

    def __enter__(self) -> Self:
        """Prepare, start and wait."""
        self.prepare()
        self.start()
        try:
            self.wait_until_up()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; kill what does not stop in time."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
