"""Every language says all that English says, and nothing else."""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "custom_components" / "pcp" / "translations"
LANGUAGES = ("de", "es", "fr", "it", "nl", "pl", "pt-BR", "zh-Hans")

# What is the same in all languages is a name, a number or an abbreviation.
ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?\b|\bfe80::1%eth0\b")
NUMBER = re.compile(r"\d{2,}")
QUOTED = re.compile(r'"([^"]+)"|„([^“”]+)[“”]|“([^”]+)”|«([^»]+)»')
# What is called so elsewhere, in the menus of routers.
MENUS = {
    "external",
    "internal",
    "Permit independent port sharing for this device",
    "Selbstständige Portfreigaben für dieses Gerät erlauben",
    "服务",
    "UPnP IGD & PCP",
}


def texts(language: str) -> dict[str, str]:
    """Return the texts of a language by their keys, parts joined by dots."""
    path = FOLDER / f"{language}.json"
    return dict(_flat(json.loads(path.read_text(encoding="utf-8"))))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            assert isinstance(value, str), key
            yield f"{prefix}{key}", value


ENGLISH = texts("en")


def placeholders(text: str) -> list[str]:
    """Return the names in braces, each as often as it occurs, sorted."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_languages() -> None:
    """There are these nine, and no other file."""
    assert {path.stem for path in FOLDER.iterdir()} == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_complete(language: str) -> None:
    """The same keys in the same order."""
    assert list(texts(language)) == list(ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders(language: str) -> None:
    """What is filled in at run time is filled in in every language."""
    for key, text in texts(language).items():
        assert set(placeholders(text)) == set(placeholders(ENGLISH[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_facts(language: str) -> None:
    """Addresses and numbers are the same."""
    for key, text in texts(language).items():
        assert facts(text) == facts(ENGLISH[key]), key


def facts(text: str) -> set[str]:
    """Return the addresses and the numbers of a text."""
    rest = ADDRESS.sub("", text)
    return {*ADDRESS.findall(text), *NUMBER.findall(rest)}


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_plain(language: str) -> None:
    """Nothing is empty, has loose ends or is HTML; braces and markup are whole."""
    for key, text in texts(language).items():
        assert text.strip() == text != "", key
        assert not re.search(r"<[a-z/!]", text), key
        assert text.count("**") == ENGLISH[key].count("**"), key
        assert "  " not in text, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_translated(language: str) -> None:
    """Sentences are not left in English."""
    same = [
        key
        for key, text in texts(language).items()
        if text == ENGLISH[key] and len(text.split()) > 3
    ]
    assert same == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_is_said_alike(language: str) -> None:
    """A sentence that English says in several places is one sentence everywhere."""
    said: dict[str, dict[str, str]] = {}
    for key, text in texts(language).items():
        if len(ENGLISH[key].split()) > 3:
            said.setdefault(ENGLISH[key], {})[key] = text
    assert [keys for keys in said.values() if len(set(keys.values())) > 1] == []


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_options_are_called_what_they_are_called(language: str) -> None:
    """What a text puts between quotes is the name of a field, a button or an option."""
    known = {*texts(language).values(), *MENUS}
    for key, text in texts(language).items():
        for quoted in QUOTED.findall(text):
            name = next(filter(None, quoted)).strip()
            assert name in known, (key, name)
