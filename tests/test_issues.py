"""Refusals in words: every reason has its texts, with all that they need."""

from functools import cache
import json
from pathlib import Path
import string
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_integration
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.client.mapping import Refusal, RefusalReason
from custom_components.pcp.const import DOMAIN, Issue
from custom_components.pcp.errors import RefusedError, refusal_code
from custom_components.pcp.issues import (
    _PAGES,
    _REFUSED_PAGE,
    _REFUSED_PAGES,
    async_tell_store_lost,
)
from custom_components.pcp.markdown import as_it_is

from .test_documents import anchors
from .test_translations import LANGUAGES

ROOT = Path(__file__).parents[1]
TRANSLATIONS = ROOT / f"custom_components/{DOMAIN}/translations/en.json"


@cache
def texts() -> dict[str, Any]:
    """Return the texts of the integration."""
    loaded: dict[str, Any] = json.loads(TRANSLATIONS.read_text())
    return loaded


def placeholders(text: str) -> set[str]:
    """Return what a text needs beside itself."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def refusal(reason: RefusalReason, code: int = ResultCode.NOT_AUTHORIZED) -> Refusal:
    """Return a refusal."""
    return Refusal(reason=reason, result_code=code, retry_at=0.0)


@pytest.mark.parametrize("reason", [*RefusalReason])
def test_every_reason_is_told(reason: RefusalReason) -> None:
    """As an error, in a form and as a repair issue, each with what it needs."""
    error = RefusedError.from_refusal(refusal(reason))
    given = set(error.placeholders or {})
    assert error.translation_key == reason
    assert placeholders(texts()["exceptions"][reason]["message"]) == given
    forms = texts()["config_subentries"]["forward"]["error"]
    assert placeholders(forms[reason]) == given
    issue = texts()["issues"][f"{Issue.FORWARD_REFUSED}_{reason}"]
    assert placeholders(issue["title"]) == {"plain_name"}
    assert placeholders(issue["description"]) == {"name", *given}


def test_there_is_no_issue_that_is_never_told() -> None:
    """Every text is somebody's."""
    assert set(texts()["issues"]) == {
        Issue.DOUBLE_NAT,
        Issue.CARRIER_GRADE_NAT,
        Issue.STORE_LOST,
        Issue.STORE_DAMAGED,
        Issue.STORAGE_FAILED,
        *(f"{Issue.FORWARD_REFUSED}_{reason}" for reason in RefusalReason),
    }


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_names_stand_in_descriptions_as_they_are(language: str) -> None:
    """The frontend shows descriptions as Markdown, and titles as plain text."""
    issues = json.loads(TRANSLATIONS.with_name(f"{language}.json").read_text())[
        "issues"
    ]
    for key, issue in issues.items():
        assert all(it.startswith("plain_") for it in placeholders(issue["title"])), key
        assert not any(
            it.startswith("plain_") for it in placeholders(issue["description"])
        ), key


async def test_a_router_cannot_speak_markdown(hass: HomeAssistant) -> None:
    """Its title may come from SSDP, that is from anybody on the network."""
    await async_get_integration(hass, DOMAIN)
    entry = MockConfigEntry(domain=DOMAIN, title="[Log in](http://x.y) *now*")
    async_tell_store_lost(hass, entry)
    issue = ir.async_get(hass).async_get_issue(
        DOMAIN, f"{Issue.STORE_LOST}_{entry.entry_id}"
    )
    assert issue is not None
    assert issue.translation_placeholders == {
        "router": as_it_is(entry.title),
        "plain_router": entry.title,
    }


@pytest.mark.parametrize(
    "page", sorted({*_PAGES.values(), *_REFUSED_PAGES.values(), _REFUSED_PAGE})
)
def test_what_is_told_can_be_read_about(page: str) -> None:
    """The section of the documents that "learn more" leads to is there."""
    file, _, anchor = page.partition("#")
    assert anchor in anchors((ROOT / "docs" / file).read_text())


def test_a_code_has_its_name_where_it_has_one() -> None:
    """A router may answer with a code that nobody knows."""
    taken = RefusalReason.ROUTER_REFUSED
    assert refusal_code(refusal(taken, ResultCode.MALFORMED_OPTION)) == (
        "6 MALFORMED_OPTION"
    )
    assert refusal_code(refusal(taken, 200)) == "200"


@pytest.mark.parametrize("reason", [*RefusalReason])
def test_what_is_about_the_port_is_told_at_the_port(reason: RefusalReason) -> None:
    """Everything else is about the router."""
    field = RefusedError.from_refusal(refusal(reason)).field
    assert (field == "external_port") == ("external" in reason)
