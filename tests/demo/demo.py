"""One demo: the simulated router, what listens behind it, and Home Assistant."""

from dataclasses import dataclass, field
from pathlib import Path
import subprocess
import sys
from types import TracebackType
from typing import IO, Self

from tests.lab.waiting import wait_until
from tests.real_ha import HomeAssistantApi, RealHomeAssistant
from tests.real_ha.client import FlowKind
from tests.real_ha.process import ROOT, ending_with_us

from . import dashboard
from .knock import knock_tcp, knock_udp, knock_web
from .places import Places

WEB_PAGE = "Example web page"
GAME_SERVER = "Example game server"


@dataclass(slots=True, kw_only=True)
class Demo:
    """Everything of a demo. As a context manager: started, and ended with it.

    `output` gets what the router and the servers print; None is this terminal.
    """

    config_dir: Path
    places: Places = field(default_factory=Places)
    personality: str = "miniupnpd_2_3_1"
    output: IO[bytes] | None = None
    debug: bool = False
    hints: bool = True
    """Whether the dashboard tells what to try."""
    history_hours: float = 1
    """What the dashboard shows of the past."""
    home_assistant: RealHomeAssistant = field(init=False)
    _router: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _examples: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Describe Home Assistant; nothing is started yet."""
        self.places = self.places.remembered(self.config_dir / "demo.json")
        self.home_assistant = RealHomeAssistant(
            self.config_dir, port=self.places.home_assistant_port, debug=self.debug
        )

    @property
    def api(self) -> HomeAssistantApi:
        """Home Assistant's API, as the owner."""
        return self.home_assistant.api

    @property
    def entry_id(self) -> str:
        """The config entry of the simulated router."""
        for entry in self.api.entries("pcp"):
            entry_id: str = entry["entry_id"]
            return entry_id
        raise LookupError("no router is set up")

    def router_entity(self, key: str) -> str:
        """The entity id of one of the router's entities."""
        entity_id = self.api.entity_id(f"{self.entry_id}_{key}")
        if entity_id is None:
            raise LookupError(key)
        return entity_id

    @property
    def dashboard_url(self) -> str:
        """The demo's dashboard."""
        return f"{self.home_assistant.url}/{dashboard.URL_PATH}"

    def start(self) -> None:
        """Start all parts; at the first start, set up what there is to see.

        Raises PlaceTakenError before anything is started.
        """
        self.places.check()
        self._router = self._run(*self._router_arguments())
        ports = (str(self.places.web_port), str(self.places.game_port))
        self._examples = self._run("tests.demo.examples", *ports)
        self.home_assistant.prepare()
        self.home_assistant.start()
        self.home_assistant.wait_until_up()
        wait_until(lambda: knock_web("127.0.0.1", self.places.web_port), "the web page")
        if self._router.poll() is not None:
            raise RuntimeError("the simulated router has ended")
        if not self.api.entries("pcp"):
            self._set_up()

    def stop(self) -> None:
        """End all parts."""
        try:
            self.home_assistant.stop()
        except subprocess.TimeoutExpired:
            self.home_assistant.kill()
        for process in (self._examples, self._router):
            if process is not None:
                process.terminate()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()

    def tell_router(self, line: str) -> None:
        """Give the simulated router a command, as `reboot`; it answers on `output`."""
        if self._router is None or self._router.stdin is None:
            raise RuntimeError("the router is not started")
        self._router.stdin.write(f"{line}\n".encode())
        self._router.stdin.flush()

    def web_page_from_outside(self) -> bytes | None:
        """Knock at the web page's external port."""
        return knock_web(self.places.outside, self.places.web_port)

    def game_server_from_outside(self) -> tuple[bytes | None, bytes | None]:
        """Knock at the game server's external port over TCP and over UDP."""
        outside, port = self.places.outside, self.places.game_port
        return (
            knock_tcp(outside, port, b"hello\n"),
            knock_udp(outside, port, b"hello\n"),
        )

    def _router_arguments(self) -> list[str]:
        places = self.places
        arguments = ["tests.simulated_router", "--personality", self.personality]
        arguments += ["--address", places.router_address]
        arguments += ["--external", places.external_address]
        if places.doors_address is not None:
            arguments += ["--doors", places.doors_address]
        return arguments

    def _run(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ending_with_us([sys.executable, "-m", module, *arguments]),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=self.output,
            # A Ctrl-C at the terminal is for the demo, which ends its parts itself.
            start_new_session=True,
        )

    def _set_up(self) -> None:
        """Add the router and two forwards as a user would, and a dashboard."""
        self.add_router()
        web, _ = self._add_forward(WEB_PAGE, "tcp", self.places.web_port)
        game, switch = self._add_forward(GAME_SERVER, "tcp_udp", self.places.game_port)
        self.api.call_service("switch", "turn_off", target={"entity_id": switch})
        self._add_dashboard(
            dashboard.Example(
                forward_id=web,
                heading=WEB_PAGE,
                icon="mdi:web",
                port=f"TCP {self.places.web_port}",
            ),
            dashboard.Example(
                forward_id=game,
                heading=GAME_SERVER,
                icon="mdi:controller",
                port=f"TCP + UDP {self.places.game_port}",
            ),
        )

    def add_router(self) -> None:
        """Add the simulated router in the config flow."""
        form = self.api.start_flow("pcp")
        result = self.api.configure(
            FlowKind.CONFIG, form["flow_id"], {"host": self.places.router_address}
        )
        if result["type"] != "create_entry":
            raise RuntimeError(f"the router could not be added: {result}")

    def _add_forward(self, name: str, protocol: str, port: int) -> tuple[str, str]:
        response = self.api.call_service(
            "pcp",
            "add_forward",
            {"name": name, "protocol": protocol, "internal_port": port},
            return_response=True,
        )
        return response["forward_id"], response["entity_id"]

    def _add_dashboard(self, *examples: dashboard.Example) -> None:
        entity_ids: dict[str, str] = {
            entity["unique_id"]: entity["entity_id"]
            for entity in self.api.entity_registry()
            if entity["platform"] == "pcp"
        }
        config = dashboard.build(
            self.entry_id,
            examples,
            lambda owner, key: entity_ids[f"{owner}_{key}"],
            hint=self._hint() if self.hints else "",
            hours=self.history_hours,
        )
        # It is there still when the router was deleted.
        there = self.api.command("lovelace/dashboards/list")
        if all(each["url_path"] != dashboard.URL_PATH for each in there):
            self.api.command(
                "lovelace/dashboards/create",
                url_path=dashboard.URL_PATH,
                title=dashboard.TITLE,
                icon=dashboard.ICON,
                require_admin=False,
                show_in_sidebar=True,
            )
        self.api.save_dashboard(config, url_path=dashboard.URL_PATH)
        self.api.command(
            "frontend/set_system_data",
            key="core",
            value={"default_panel": dashboard.URL_PATH},
        )

    def _hint(self) -> str:
        url = f"http://{self.places.outside}:{self.places.web_port}/"
        return (
            f"From outside, the example web page is [{url}]({url}). Switch its port"
            " off, and reload it. The router is simulated, on this machine."
        )

    def __enter__(self) -> Self:
        """Start everything, or nothing."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End everything."""
        self.stop()
