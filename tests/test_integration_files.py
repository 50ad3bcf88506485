"""The files beside the code agree with it and with each other.

That they have the form that hassfest and HACS want, scripts/check_integration.py says.
"""

import ast
from collections.abc import Iterator, Mapping
from enum import StrEnum
import json
from pathlib import Path
from string import Formatter
from typing import Any

from homeassistant.helpers import selector, service
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import load_yaml_dict
import pytest
import voluptuous as vol

from custom_components.pcp import (
    binary_sensor,
    button,
    config_flow,
    const,
    event,
    forward_flow,
    forward_form,
    options_flow,
    router,
    sensor,
    services,
    switch,
)
from custom_components.pcp.client.events import ServerProtocol
from custom_components.pcp.client.mapping import RefusalReason
from custom_components.pcp.forward import ForwardProtocol, ForwardStatus, IPVersion

COMPONENT = Path(__file__).parent.parent / "custom_components" / "pcp"
TRANSLATIONS: dict[str, Any] = json.loads(
    (COMPONENT / "translations" / "en.json").read_text()
)
ICONS: dict[str, Any] = json.loads((COMPONENT / "icons.json").read_text())
MANIFEST: dict[str, Any] = json.loads((COMPONENT / "manifest.json").read_text())
SERVICES = load_yaml_dict(str(COMPONENT / "services.yaml"))
GLUE = [ast.parse(path.read_text()) for path in COMPONENT.glob("*.py")]

ENTITIES: dict[str, Mapping[str, EntityDescription]] = {
    "binary_sensor": {item.key: item for item in binary_sensor.DESCRIPTIONS},
    "button": {"renew": button.DESCRIPTION},
    "event": {"router": event.DESCRIPTION},
    "sensor": {
        item.key: item for item in (*sensor.ROUTER_SENSORS, *sensor.FORWARD_SENSORS)
    },
    "switch": {"forward": switch.DESCRIPTION},
}

FORWARD_ERRORS = {
    "both_with_target",
    "family_mismatch",
    "invalid_address",
    "invalid_exact_external_port",
    "invalid_external_port",
    "invalid_ip_version",
    "invalid_name",
    "invalid_network",
    "invalid_port",
    "invalid_port_count",
    "invalid_protocol",
    "no_ipv4_server",
    "no_ipv6_server",
    "overlap",
    "own_address",
    "port_range",
    "third_party_off",
    "too_many_sources",
}
FORM_ERRORS = {"service_port_taken"}
REFUSALS = set(RefusalReason) | {"router_silent", "storage_failed"}
SET_UP_ERRORS = {"storage_too_new", "storage_unreadable"}


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}".removeprefix("."))
    else:
        yield path, value


def _schema_keys(schema: vol.Schema) -> set[str]:
    return {str(key) for key in schema.schema}


def _service_fields(name: str) -> dict[str, Any]:
    """Return the fields of an action in services.yaml, sections opened."""
    fields: dict[str, Any] = {}
    for key, field in (SERVICES[name].get("fields") or {}).items():
        fields |= field.get("fields", {key: field})
    return fields


def _string_arguments(function: str) -> set[str]:
    """Return the literal first arguments of the calls of a function in the glue."""
    return {
        call.args[0].value
        for tree in GLUE
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", None)) == function
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


# The manifest.


def test_domain() -> None:
    """The code's domain is the manifest's."""
    assert MANIFEST["domain"] == const.DOMAIN == COMPONENT.name


def test_manifest_version_is_the_projects() -> None:
    """A release has one version."""
    project = (COMPONENT.parent.parent / "pyproject.toml").read_text()
    assert f'version = "{MANIFEST["version"]}"' in project


# Entities.


@pytest.mark.parametrize("platform", ENTITIES)
def test_every_entity_has_a_name_and_an_icon(platform: str) -> None:
    """Keys, translation keys, texts and icons are the same."""
    descriptions = ENTITIES[platform]
    assert {item.translation_key for item in descriptions.values()} == set(descriptions)
    # A forward's switch carries the name of its device.
    without_name = {"forward"}
    assert set(TRANSLATIONS["entity"].get(platform, {})) == (
        set(descriptions) - without_name
    )
    with_icon_of_its_device_class = {"reachable"}
    assert set(ICONS["entity"][platform]) == (
        set(descriptions) - with_icon_of_its_device_class
    )


@pytest.mark.parametrize(
    ("key", "states"), [("status", ForwardStatus), ("protocol", ServerProtocol)]
)
def test_every_state_has_a_text(key: str, states: type[StrEnum]) -> None:
    """An enum sensor shows words, for every state it can have."""
    assert set(TRANSLATIONS["entity"]["sensor"][key]["state"]) == set(states)


def test_every_status_has_an_icon() -> None:
    """A glance at the status is enough."""
    assert set(ICONS["entity"]["sensor"]["status"]["state"]) == set(ForwardStatus)


def test_every_event_type_has_a_text() -> None:
    """The event entity shows words, for every type."""
    attributes = TRANSLATIONS["entity"]["event"]["router"]["state_attributes"]
    assert set(attributes["event_type"]["state"]) == set(const.RouterEvent)


# Flows.


@pytest.mark.parametrize(
    ("flow", "texts", "silent"),
    [
        (config_flow.PcpConfigFlow, TRANSLATIONS["config"], {"ssdp"}),
        (options_flow.PcpOptionsFlow, TRANSLATIONS["options"], set()),
        (
            forward_flow.ForwardSubentryFlow,
            TRANSLATIONS["config_subentries"]["forward"],
            # What a menu leads to.
            {"open_anyway", "go_back"},
        ),
    ],
)
def test_every_step_has_a_text(
    flow: type, texts: dict[str, Any], silent: set[str]
) -> None:
    """Steps that show a form have texts, and there are no texts of other steps."""
    prefix = "async_step_"
    steps = {name.removeprefix(prefix) for name in vars(flow) if prefix in name}
    assert steps - silent == set(texts["step"])


@pytest.mark.parametrize("step", ["user", "reconfigure"])
def test_router_form_is_described(step: str) -> None:
    """Every field of the router's forms has a name and a description."""
    texts = TRANSLATIONS["config"]["step"][step]
    assert set(texts["data"]) == set(texts["data_description"]) == {"host"}


def test_options_form_is_described() -> None:
    """Every option has a name and a description."""
    texts = TRANSLATIONS["options"]["step"]["init"]
    assert (
        set(texts["data"])
        == set(texts["data_description"])
        == _schema_keys(options_flow.OPTIONS_SCHEMA)
    )


@pytest.mark.parametrize("step", ["user", "reconfigure"])
def test_forward_form_is_described(step: str) -> None:
    """Every field of a forward's form has a name and a description."""
    texts = TRANSLATIONS["config_subentries"]["forward"]["step"][step]
    top = _schema_keys(forward_form.forward_schema()) - {forward_form.SECTION_ADVANCED}
    if step == "user":
        top.add(forward_form.CONF_SERVICE)
    assert set(texts["data"]) == set(texts["data_description"]) == top
    section = texts["sections"][forward_form.SECTION_ADVANCED]
    assert section["name"]
    assert (
        set(section["data"])
        == set(section["data_description"])
        == _schema_keys(forward_form.ADVANCED_SCHEMA)
    )


@pytest.mark.parametrize("step", ["user", "reconfigure"])
def test_the_form_says_what_a_filter_is(step: str) -> None:
    """RFC 6887 13.3: allowed sources are a request, told where they are typed."""
    form = TRANSLATIONS["config_subentries"]["forward"]["step"][step]
    section = form["sections"][forward_form.SECTION_ADVANCED]
    text = section["data_description"]["allowed_sources"]
    assert "This is a request" in text
    assert "do not rely on it" in text


def test_every_probe_outcome_has_texts() -> None:
    """What a probe may find is told in the form, and where a discovery ends."""
    errors = {*router.ERRORS.values(), "invalid_host"}
    assert set(TRANSLATIONS["config"]["error"]) == errors
    assert set(TRANSLATIONS["config"]["abort"]) == errors | {"already_configured"}


def test_every_forward_error_has_a_text() -> None:
    """What may be wrong with a forward is told, and nothing else."""
    texts = TRANSLATIONS["config_subentries"]["forward"]
    assert set(texts["error"]) == FORWARD_ERRORS | REFUSALS | FORM_ERRORS
    ends = texts["create_entry"]
    assert set(ends) == {"opened", "plain", "unanswered", "other_port"}
    aborts = {"config_entry_not_loaded", "forward_gone", "reconfigure_successful"}
    assert set(texts["abort"]) == aborts


def test_forward_errors_are_those_of_the_code() -> None:
    """The list above is what the code raises."""
    built = {
        *("invalid_protocol", "invalid_ip_version"),
        *("invalid_port", "invalid_external_port"),
        *("no_ipv4_server", "no_ipv6_server"),
    }
    assert _string_arguments("ForwardError") | built == FORWARD_ERRORS | FORM_ERRORS


@pytest.mark.parametrize(
    ("key", "options"), [("protocol", ForwardProtocol), ("ip_version", IPVersion)]
)
def test_every_choice_has_a_text(key: str, options: type[StrEnum]) -> None:
    """A select shows words, in forms and actions."""
    assert set(TRANSLATIONS["selector"]) == {"protocol", "ip_version"}
    assert set(TRANSLATIONS["selector"][key]["options"]) == set(options)


# Actions.


def test_actions_are_described_everywhere() -> None:
    """Code, services.yaml, en.json and icons.json know the same actions."""
    registered = {
        value for name, value in vars(services).items() if name.startswith("SERVICE_")
    }
    assert set(SERVICES) == registered
    assert set(TRANSLATIONS["services"]) == registered
    assert set(ICONS["services"]) == registered


@pytest.mark.parametrize("name", SERVICES)
def test_action_fields_are_described(name: str) -> None:
    """Every field of an action has a name and a description."""
    texts = TRANSLATIONS["services"][name]
    assert set(texts.get("fields", {})) == set(_service_fields(name))
    sections = {
        key
        for key, field in (SERVICES[name].get("fields") or {}).items()
        if "fields" in field
    }
    assert set(texts.get("sections", {})) == sections


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("add_forward", services.ADD_FORWARD_SCHEMA),
        ("remove_forward", services.REMOVE_FORWARD_SCHEMA),
        ("list_forwards", services.LIST_FORWARDS_SCHEMA),
    ],
)
def test_action_fields_are_those_of_the_code(name: str, schema: vol.Schema) -> None:
    """The code takes what services.yaml offers."""
    assert _schema_keys(schema) == set(_service_fields(name))


def test_actions_are_what_home_assistant_reads() -> None:
    """Home Assistant's own schema takes services.yaml, and every selector is valid."""
    service._SERVICES_SCHEMA(SERVICES)
    for name in SERVICES:
        for field in _service_fields(name).values():
            selector.validate_selector(field["selector"])


# Errors and repairs.


def test_every_exception_has_a_text() -> None:
    """What an action may raise is told in words, and there are no words too many."""
    raised = _string_arguments("_error") | {"not_a_forward", "switch_disabled"}
    raised |= SET_UP_ERRORS
    assert set(TRANSLATIONS["exceptions"]) == FORWARD_ERRORS | REFUSALS | raised


def test_form_and_action_use_the_same_words() -> None:
    """A forward that cannot be is explained alike, wherever it was asked for."""
    errors = TRANSLATIONS["config_subentries"]["forward"]["error"]
    for key in errors.keys() - FORM_ERRORS:
        assert TRANSLATIONS["exceptions"][key]["message"] == errors[key]


def test_every_issue_has_a_text() -> None:
    """Repair issues have a title and a description; none is fixed by a flow."""
    assert set(TRANSLATIONS["issues"]) == {
        const.Issue.DOUBLE_NAT,
        const.Issue.CARRIER_GRADE_NAT,
        const.Issue.STORE_LOST,
        const.Issue.STORE_DAMAGED,
        const.Issue.STORAGE_FAILED,
        *(f"{const.Issue.FORWARD_REFUSED}_{reason}" for reason in RefusalReason),
    }
    for texts in TRANSLATIONS["issues"].values():
        assert set(texts) == {"title", "description"}


# Texts.


@pytest.mark.parametrize(("path", "text"), _texts(TRANSLATIONS))
def test_placeholders_can_be_filled(path: str, text: str) -> None:
    """Placeholders are identifiers; web addresses come in through them."""
    assert "://" not in text
    for _, placeholder, _, _ in Formatter().parse(text):
        assert not placeholder or placeholder.isidentifier()


def test_there_is_no_text_too_many() -> None:
    """Every part of the texts is one that a test here compares with the code."""
    assert set(TRANSLATIONS) == {
        *("config", "config_subentries", "options", "selector"),
        *("entity", "services", "exceptions", "issues", "system_health"),
    }
    assert set(TRANSLATIONS["entity"]) == set(ENTITIES) - {"switch"}
    assert set(ICONS) == {"entity", "services"}
    assert set(ICONS["entity"]) == set(ENTITIES)
