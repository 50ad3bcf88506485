"""Run the demo for people; see scripts/develop --help."""

import argparse
from collections.abc import Iterator
import os
from pathlib import Path
import select
import shutil
import signal
import sys
from types import FrameType

from tests.real_ha.process import RESTART_EXIT_CODE, ROOT

from .demo import GAME_SERVER, WEB_PAGE, Demo
from .places import Places, PlaceTakenError

DEFAULT_CONFIG = ROOT / ".local" / "demo"
POLL_INTERVAL = 0.5

WELCOME = """
  Open  {dashboard}
  (user demo, password demo)

  The router is simulated: Home Assistant asks it at {router}, and its outside is
  {outside}. All of it is on this machine; nothing is opened on your own router.

  Try
   - curl http://{outside}:{web_port}/
     “{web}” is open: you get its page. Switch it off, and ask again.
   - Switch “{game}” on and type knock here: it answers over TCP and UDP.
   - Press “Open for two hours”: the port closes by itself then, and “Closes” tells when.
   - Type reboot here: the router forgets every port. What is switched on is open again
     within seconds.
   - Type personality refuses_all here, and switch a forward off and on: an error says
     what to change in the router. personality {personality} ends it.
   - Type silence here, and switch a forward off: it is closed after unsilence.
   - {settings}
     Add a forward, change one, look at the options. Delete the router, and add it again
     by hand, at {router}: on loopback none is discovered. scripts/develop --fresh
     brings back the two forwards.

{commands}
  Ctrl-C ends everything.
"""


COMMANDS = """\
  Commands
    knock                    try all doors from outside
    mappings                 list what the router has open
    reboot                   restart the router, with all its ports forgotten
    restart                  restart it, with its ports kept
    forget                   let it lose its ports without a sign
    silence, unsilence       let it answer nothing; let it answer again
    address 127.0.99.2       give it another external address
    personality refuses_all  let it be another kind of router: one that refuses all
    personalities            list the kinds
    help, quit
"""


def main() -> int:
    """Read the command line, run the demo until told to end."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Home Assistant with this integration, a simulated router and two"
        " forwards to try. Ctrl-C ends everything that it started.",
    )
    parser.add_argument("--port", type=int, default=8123, help="Home Assistant's port")
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="DIR",
        help="Home Assistant's configuration folder (.local/demo)",
    )
    parser.add_argument("--fresh", action="store_true", help="forget the last demo")
    parser.add_argument("--debug", action="store_true", help="log the integration more")
    parser.add_argument("--from", dest="where", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # What --config says is meant from where the caller of scripts/develop stands.
    config_dir: Path = (arguments.where or Path.cwd()) / arguments.config

    if arguments.fresh and config_dir.exists():
        if not (config_dir / "demo.json").exists():
            _say(f"{config_dir} was not made by a demo: nothing removed.")
            return 1
        shutil.rmtree(config_dir)
    signal.signal(signal.SIGTERM, _interrupt)
    places = Places(home_assistant_port=arguments.port)
    demo = Demo(config_dir=config_dir, places=places, debug=arguments.debug)
    _say("Starting; this takes about half a minute.")
    try:
        demo.start()
        _say(_welcome(demo))
        ended = _run(demo)
    except PlaceTakenError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        ended = 0
    finally:
        # Whoever is impatient now would leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demo.stop()
    _say("Ended.")
    return ended


def _run(demo: Demo) -> int:
    """Obey the terminal until `quit`, or until Home Assistant has ended."""
    home_assistant = demo.home_assistant
    for line in _lines():
        match line:
            case None:
                pass
            case "quit" | "exit":
                return 0
            case "help":
                _say(COMMANDS)
            case "knock":
                _say(_knock(demo))
            case _:
                demo.tell_router(line)
        if home_assistant.exit_code == RESTART_EXIT_CODE:
            _say("Home Assistant restarts.")
            home_assistant.start()
        elif not home_assistant.is_running:
            _say(f"Home Assistant has ended:\n{home_assistant.log()[-3000:]}")
            return 1
    return 0


def _lines() -> Iterator[str | None]:
    """Yield the lines that are typed, and None when none came for a while."""
    terminals = [sys.stdin.fileno()]
    rest = b""
    while True:
        readable, _, _ = select.select(terminals, [], [], POLL_INTERVAL)
        if not readable:
            yield None
            continue
        data = os.read(terminals[0], 4096)
        if not data:
            # Started without a terminal: only Ctrl-C and SIGTERM are left.
            terminals.clear()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").strip()


def _knock(demo: Demo) -> str:
    """Knock at all doors and tell what came back."""
    outside = demo.places.outside
    over_tcp, over_udp = demo.game_server_from_outside()
    answers = (
        (WEB_PAGE, "tcp", demo.places.web_port, demo.web_page_from_outside()),
        (GAME_SERVER, "tcp", demo.places.game_port, over_tcp),
        (GAME_SERVER, "udp", demo.places.game_port, over_udp),
    )
    return "\n".join(
        f"{name}: {protocol} {outside}:{port} {'answers' if answer else 'is closed'}"
        for name, protocol, port, answer in answers
    )


def _welcome(demo: Demo) -> str:
    return WELCOME.format(
        dashboard=demo.dashboard_url,
        router=demo.places.router_address,
        outside=demo.places.outside,
        web=WEB_PAGE,
        web_port=demo.places.web_port,
        game=GAME_SERVER,
        personality=demo.personality,
        commands=COMMANDS,
        settings=f"{demo.home_assistant.url}/config/integrations/integration/pcp",
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
