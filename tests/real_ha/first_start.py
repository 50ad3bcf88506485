"""Fill an empty configuration folder as if somebody had gone through onboarding.

A script, run by the interpreter that is going to run Home Assistant, so that its own
code writes its own storage. Prints a long-lived access token; in a folder that has a
user, or with --nobody, it only sets where the web server listens, and prints nothing.
"""

import argparse
import asyncio
from datetime import timedelta
import sys

from homeassistant import runner
from homeassistant.auth import AuthManager, auth_manager_from_config
from homeassistant.auth.const import GROUP_ID_ADMIN
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN, User
from homeassistant.auth.providers.homeassistant import HassAuthProvider
from homeassistant.components.http.config import (
    HTTP_STORAGE_SCHEMA,
    async_get_and_load_store,
)
from homeassistant.components.onboarding import (
    STORAGE_KEY as ONBOARDING_STORAGE_KEY,
    STORAGE_VERSION as ONBOARDING_STORAGE_VERSION,
)
from homeassistant.components.onboarding.const import STEPS
from homeassistant.components.person import (
    STORAGE_KEY as PERSON_STORAGE_KEY,
    STORAGE_VERSION as PERSON_STORAGE_VERSION,
)
from homeassistant.config_entries import ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.storage import Store

TOKEN_LIFETIME = timedelta(days=3650)
# Not imported: analytics needs the Supervisor's library to be importable.
ANALYTICS_STORAGE_KEY = "core.analytics"
ANALYTICS_STORAGE_VERSION = 1


async def main(arguments: argparse.Namespace) -> str:
    """Write everything and return the token, or an empty text."""
    hass = HomeAssistant(arguments.config)
    hass.config_entries = ConfigEntries(hass, {})
    # The device registry waits for the config entries.
    await hass.config_entries.async_initialize()
    dr.async_setup(hass)
    await asyncio.gather(dr.async_load(hass), er.async_load(hass))
    hass.auth = await auth_manager_from_config(hass, [{"type": "homeassistant"}], [])

    await save_http(hass, arguments.host, arguments.port)
    token = ""
    if not arguments.nobody and not await hass.auth.async_get_users():
        user = await add_owner(hass.auth, arguments.user, arguments.password)
        token = await make_token(hass.auth, user)
        await save_person(hass, user)
        await mark_onboarded(hass)
        await switch_analytics_off(hass)
    # Storage that is written with a delay is written now.
    await hass.async_stop(force=True)
    return token


async def add_owner(auth: AuthManager, name: str, password: str) -> User:
    """Make the first user, who is the owner."""
    provider = auth.auth_providers[0]
    assert isinstance(provider, HassAuthProvider)
    await provider.async_initialize()
    await provider.async_add_auth(name, password)
    user = await auth.async_create_user(name, group_ids=[GROUP_ID_ADMIN])
    credentials = await provider.async_get_or_create_credentials({"username": name})
    await auth.async_link_user(user, credentials)
    return user


async def make_token(auth: AuthManager, user: User) -> str:
    """Return a long-lived access token of `user`."""
    refresh_token = await auth.async_create_refresh_token(
        user,
        client_name="tests.real_ha",
        token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
        access_token_expiration=TOKEN_LIFETIME,
    )
    return auth.async_create_access_token(refresh_token)


async def save_person(hass: HomeAssistant, user: User) -> None:
    """Make the person that belongs to the user."""
    person: dict[str, object] = {
        "id": user.name,
        "name": user.name,
        "user_id": user.id,
        "device_trackers": [],
    }
    store = Store[dict[str, object]](hass, PERSON_STORAGE_VERSION, PERSON_STORAGE_KEY)
    await store.async_save({"items": [person]})


async def mark_onboarded(hass: HomeAssistant) -> None:
    """Mark every step of the onboarding as done."""
    store = Store[dict[str, object]](
        hass, ONBOARDING_STORAGE_VERSION, ONBOARDING_STORAGE_KEY, private=True
    )
    await store.async_save({"done": STEPS})


async def switch_analytics_off(hass: HomeAssistant) -> None:
    """Answer the question about analytics with no."""
    store = Store[dict[str, object]](
        hass, ANALYTICS_STORAGE_VERSION, ANALYTICS_STORAGE_KEY
    )
    await store.async_save({"onboarded": True, "preferences": {}, "uuid": None})


async def save_http(hass: HomeAssistant, host: str | None, port: int) -> None:
    """Set where the web server listens.

    Not in configuration.yaml: that is a trial, taken back by a restart five minutes
    later.
    """
    config = {"server_port": port} | ({"server_host": host} if host else {})
    store = await async_get_and_load_store(hass)
    await store.async_set_pending(HTTP_STORAGE_SCHEMA(config))
    if store.pending is not None:
        await store.async_promote_pending()
    await store.async_mark_yaml_migration_done()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--nobody", action="store_true")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, required=True)
    sys.stdout.write(
        asyncio.run(main(parser.parse_args()), loop_factory=runner.create_event_loop)
    )
