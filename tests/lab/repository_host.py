"""A stand-in of the hosts that Home Assistant's Marketplace downloads from.

GitHub's API, its login by a code, its downloads and raw files, and the catalog: with one
repository, which is this one as git has it, and one release of it. It listens on port
443 of every address, for it runs inside of the lab's `wan`; the certificate is one that
only Home Assistant in the lab trusts. Every request is a line of standard output.

Usage: python -m tests.lab.repository_host --certificate PEM --zip FILE --tag TAG [--listed]
"""

import argparse
import base64
import json
from pathlib import Path
import ssl
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.real_ha.process import INTEGRATION, ROOT

API = "api.github.com"
GITHUB = "github.com"
ASSETS = "release-assets.githubusercontent.com"
RAW = "raw.githubusercontent.com"
CATALOG = "data-v2.hacs.xyz"
HOSTS = (API, GITHUB, ASSETS, RAW, CATALOG)

REPOSITORY_ID = 987654321
BRANCH = "main"
COMMIT = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed"
ZIP = "pcp.zip"
PENDING = {"error": "authorization_pending", "interval": 1}


def full_name(manifest: dict[str, Any]) -> str:
    """Return owner and name of the repository, as the manifest tells its home."""
    home: str = manifest["documentation"]
    return urlsplit(home).path.strip("/")


class RepositoryHost:
    """What it answers."""

    def __init__(self, *, zip_file: Path, tag: str, listed: bool) -> None:
        """Read the repository; `listed`: it is in the catalog."""
        self._zip = zip_file.read_bytes()
        self._tag = tag
        self._listed = listed
        self._codes_asked_for = 0
        self._manifest = json.loads((INTEGRATION / "manifest.json").read_text())
        self._name = full_name(self._manifest)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        sys.stdout.write(f"{request.method} https://{request.host}{request.path}\n")
        sys.stdout.flush()
        found = self._find(request.host, request.path.strip("/"))
        if isinstance(found, bytes):
            return web.Response(body=found)
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(found, headers={"ETag": '"1"'})

    def _find(self, host: str, path: str) -> object:
        """Return JSON or octets; None where there is nothing."""
        repository = f"{self._name}/"
        if host == API:
            return self._api(path)
        if host == GITHUB and path.startswith("login/"):
            return self._login(path)
        if host == GITHUB and path == self._download:
            raise web.HTTPFound(f"https://{ASSETS}/{ZIP}")
        if host == ASSETS and path == ZIP:
            return self._zip
        if host == RAW and path.startswith(repository):
            return _octets(path.removeprefix(repository).partition("/")[2])
        if host == CATALOG:
            return self._catalog(path.removesuffix("/data.json"))
        return None

    @property
    def _download(self) -> str:
        return f"{self._name}/releases/download/{self._tag}/{ZIP}"

    def _api(self, path: str) -> object:
        if path == "rate_limit":
            core = {"limit": 5000, "remaining": 5000, "reset": int(time.time())}
            return {"resources": {"core": core}, "rate": core}
        repository = f"repos/{self._name}"
        if not path.startswith(repository):
            return None
        path = path.removeprefix(repository)
        if not path:
            return {
                "id": REPOSITORY_ID,
                "name": self._name.partition("/")[2],
                "full_name": self._name,
                "description": "Router ports as switches",
                "default_branch": BRANCH,
                "archived": False,
                "has_issues": True,
                "open_issues": 0,
                "stargazers_count": 1,
                "topics": ["home-assistant", "pcp"],
                "pushed_at": "2026-11-22T12:00:00Z",
            }
        if path == "/releases":
            return [self._release()]
        if path == f"/branches/{BRANCH}":
            return {"name": BRANCH, "commit": {"sha": COMMIT}}
        if path in (f"/git/trees/{self._tag}", f"/git/trees/{BRANCH}"):
            return {"sha": COMMIT, "tree": _tree(), "truncated": False}
        if path.startswith("/contents/"):
            return _contents(path.removeprefix("/contents/"))
        return None

    def _release(self) -> dict[str, Any]:
        asset = {
            "name": ZIP,
            "size": len(self._zip),
            "download_count": 0,
            "browser_download_url": f"https://{GITHUB}/{self._download}",
        }
        return {
            "tag_name": self._tag,
            "name": self._tag,
            "draft": False,
            "prerelease": False,
            "published_at": "2026-11-22T12:00:00Z",
            "assets": [asset],
        }

    def _login(self, path: str) -> object:
        """Hand out a token at the second question: its user has to type the code."""
        if path == "login/device/code":
            return {
                "device_code": "stand-in",
                "user_code": "STAN-DIN1",
                "verification_uri": f"https://{GITHUB}/login/device",
                "expires_in": 900,
                "interval": 1,
            }
        if path == "login/oauth/access_token":
            self._codes_asked_for += 1
            if self._codes_asked_for == 1:
                return PENDING
            return {"access_token": "stand-in", "token_type": "bearer", "scope": ""}
        return None

    def _catalog(self, section: str) -> object:
        if section in ("removed", "critical"):
            return []
        if section != "integration" or not self._listed:
            return {}
        return {
            str(REPOSITORY_ID): {
                "full_name": self._name,
                "description": "Router ports as switches",
                "domain": self._manifest["domain"],
                "etag_repository": '"1"',
                "last_fetched": time.time(),
                "last_updated": "2026-11-22T12:00:00Z",
                "last_version": self._tag,
                "manifest": {"name": self._manifest["name"]},
                "manifest_name": self._manifest["name"],
            }
        }


def _files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _octets(file: str) -> bytes | None:
    return (ROOT / file).read_bytes() if file in _files() else None


def _contents(file: str) -> dict[str, Any] | None:
    if (octets := _octets(file)) is None:
        return None
    content = base64.encodebytes(octets).decode()
    return {"type": "file", "path": file, "encoding": "base64", "content": content}


def _tree() -> list[dict[str, str]]:
    files = _files()
    folders = {str(parent) for file in files for parent in Path(file).parents[:-1]}
    return [{"path": path, "type": "tree"} for path in sorted(folders)] + [
        {"path": path, "type": "blob"} for path in files
    ]


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--listed", action="store_true")
    arguments = parser.parse_args()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(arguments.certificate)
    host = RepositoryHost(
        zip_file=arguments.zip, tag=arguments.tag, listed=arguments.listed
    )
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", host.answer)
    web.run_app(app, host="0.0.0.0", port=443, ssl_context=context, print=None)


if __name__ == "__main__":
    main()
