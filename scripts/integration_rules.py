"""What hassfest and HACS accept in the files of an integration, as schemas.

Used by check_integration.py, which says where the rules come from.
"""

import re
from urllib.parse import urlsplit

from awesomeversion import (
    AwesomeVersion,
    AwesomeVersionException,
    AwesomeVersionStrategy as Strategy,
)
from homeassistant.helpers import config_validation as cv, selector
import voluptuous as vol

DOMAIN = "pcp"
RULES = {
    "Bronze": """action-setup appropriate-polling brands common-modules
        config-flow-test-coverage config-flow dependency-transparency docs-actions
        docs-conditions docs-high-level-description docs-installation-instructions
        docs-removal-instructions docs-triggers entity-event-setup entity-unique-id
        has-entity-name runtime-data test-before-configure test-before-setup
        unique-config-entry""",
    "Silver": """action-exceptions config-entry-unloading docs-configuration-parameters
        docs-installation-parameters entity-unavailable integration-owner
        log-when-unavailable parallel-updates reauthentication-flow test-coverage""",
    "Gold": """devices diagnostics discovery-update-info discovery docs-data-update
        docs-examples docs-known-limitations docs-supported-devices
        docs-supported-functions docs-troubleshooting docs-use-cases dynamic-devices
        entity-category entity-device-class entity-disabled-by-default
        entity-translations exception-translations icon-translations
        reconfiguration-flow repair-issues stale-devices""",
    "Platinum": "async-dependency inject-websession strict-typing",
}
VERSIONS = [
    *(Strategy.CALVER, Strategy.SEMVER, Strategy.SIMPLEVER),
    *(Strategy.BUILDVER, Strategy.PEP440),
]

HOW = ("polling", "push")
KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def version(value: str) -> str:
    """Take what Home Assistant's loader takes."""
    try:
        AwesomeVersion(value, ensure_strategy=VERSIONS)
    except AwesomeVersionException as error:
        raise vol.Invalid(f"{value!r} is no version") from error
    return value


def own_page(value: str) -> str:
    """Take an address of the integration's own documentation."""
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise vol.Invalid("is no https address")
    if parts.hostname == "www.home-assistant.io":
        raise vol.Invalid("must not be a page of Home Assistant")
    return value


def key(value: str) -> str:
    """Take a translation key."""
    if not isinstance(value, str) or not KEY.fullmatch(value):
        raise vol.Invalid(f"{value!r} is no translation key")
    return value


def text(value: str) -> str:
    """Take what may be shown."""
    cv.string_with_no_html(value)
    if value != value.strip():
        raise vol.Invalid("begins or ends with a space")
    if "[%" in value:
        raise vol.Invalid("refers to another text, which nobody looks up")
    if re.search(r"'{\w+}'", value):
        raise vol.Invalid("has a placeholder in single quotes")
    return value


def icon(value: str) -> str:
    """Take an icon of Material Design."""
    if not re.fullmatch(r"mdi:[a-z0-9-]+", value):
        raise vol.Invalid(f"{value!r} is no icon")
    return value


def keyed(value: object) -> dict[object, object]:
    """Return a schema: values of one kind under translation keys."""
    return {key: value}


MANIFEST = vol.Schema(
    {
        vol.Required("domain"): DOMAIN,
        vol.Required("name"): str,
        vol.Required("codeowners"): vol.All(
            [vol.Match(r"@[\w-]+$")], vol.Length(min=1)
        ),
        vol.Required("documentation"): own_page,
        vol.Required("iot_class"): vol.In(
            {
                *("assumed_state", "calculated"),
                *(f"{where}_{how}" for where in ("cloud", "local") for how in HOW),
            }
        ),
        vol.Required("issue_tracker"): own_page,
        vol.Required("version"): vol.All(str, version),
        vol.Required("integration_type"): vol.In(
            ["device", "entity", "hardware", "helper", "hub", "service", "system"]
        ),
        **{vol.Optional(it): [str] for it in ("after_dependencies", "dependencies")},
        vol.Optional("config_flow"): bool,
        vol.Optional("import_executor"): bool,
        vol.Optional("loggers"): [str],
        vol.Optional("requirements"): [str],
        vol.Optional("single_config_entry"): bool,
        vol.Optional("ssdp"): [vol.All({str: str}, vol.Length(min=1))],
    }
)

FIELD = {
    vol.Optional("example"): vol.Any(str, int, bool, list, dict),
    vol.Optional("default"): vol.Any(str, int, bool, list, dict),
    vol.Optional("required"): bool,
    vol.Optional("advanced"): bool,
    vol.Optional("selector"): selector.validate_selector,
}
SECTION = {vol.Optional("collapsed"): bool, vol.Required("fields"): {key: FIELD}}
ACTIONS = vol.Schema(
    {
        key: vol.Any(
            None,
            {
                vol.Optional("target"): selector.TargetSelector.CONFIG_SCHEMA,
                vol.Optional("fields"): {key: vol.Any(FIELD, SECTION)},
            },
        )
    }
)

STEP = {
    vol.Optional("title"): text,
    vol.Optional("description"): text,
    vol.Optional("data"): keyed(text),
    vol.Optional("data_description"): keyed(text),
    vol.Optional("menu_options"): keyed(text),
    vol.Optional("submit"): text,
    vol.Optional("sections"): keyed(
        {
            vol.Optional("name"): text,
            vol.Optional("description"): text,
            vol.Optional("data"): keyed(text),
            vol.Optional("data_description"): keyed(text),
        }
    ),
}
FLOW = {
    vol.Optional("flow_title"): text,
    vol.Required("step"): keyed(STEP),
    **{
        vol.Optional(it): keyed(text)
        for it in ("error", "abort", "progress", "create_entry")
    },
}
# What the button says that begins the flow; since 2026 a router's, too, may say it.
BUTTON = {vol.Required("user"): text, key: text}
STATES = {vol.Optional("name"): text, vol.Optional("state"): keyed(text)}
TEXTS = vol.Schema(
    {
        vol.Optional("title"): text,
        vol.Optional("config"): FLOW | {vol.Optional("initiate_flow"): BUTTON},
        vol.Optional("options"): FLOW,
        vol.Optional("config_subentries"): keyed(
            FLOW
            | {
                vol.Required("entry_type"): text,
                vol.Required("initiate_flow"): BUTTON,
            }
        ),
        vol.Optional("selector"): keyed({vol.Required("options"): keyed(text)}),
        vol.Optional("system_health"): {vol.Optional("info"): keyed(text)},
        vol.Optional("issues"): keyed(
            vol.All(
                {vol.Required("title"): text, "description": text, "fix_flow": FLOW},
                cv.has_at_most_one_key("description", "fix_flow"),
                cv.has_at_least_one_key("description", "fix_flow"),
            )
        ),
        vol.Optional("device"): keyed({vol.Optional("name"): text}),
        vol.Optional("entity"): keyed(
            keyed(STATES | {vol.Optional("state_attributes"): keyed(STATES)})
        ),
        vol.Optional("exceptions"): keyed({vol.Required("message"): text}),
        vol.Optional("services"): keyed(
            {
                vol.Required("name"): text,
                vol.Required("description"): text,
                vol.Optional("fields"): keyed(
                    {vol.Required("name"): text, vol.Required("description"): text}
                ),
                vol.Optional("sections"): keyed(
                    {vol.Required("name"): text, vol.Optional("description"): text}
                ),
            }
        ),
        vol.Optional("common"): keyed(text),
    }
)

ENTITY_ICONS = {
    vol.Optional("default"): icon,
    vol.Optional("state"): keyed(icon),
    vol.Optional("state_attributes"): keyed(
        {vol.Optional("default"): icon, vol.Optional("state"): keyed(icon)}
    ),
}
ICONS = vol.Schema(
    {
        vol.Optional("entity"): keyed(keyed(ENTITY_ICONS)),
        vol.Optional("services"): keyed(
            {
                vol.Required("service"): icon,
                vol.Optional("sections"): keyed(icon),
            }
        ),
    }
)

REASON = vol.All(str, vol.Length(min=10))
QUALITY = vol.Schema(
    {
        vol.Required("rules"): {
            vol.Required(rule): vol.Any(
                vol.In(["done", "todo"]),
                {vol.Required("status"): "exempt", vol.Required("comment"): REASON},
                {
                    vol.Required("status"): vol.In(["done", "todo"]),
                    vol.Required("comment"): REASON,
                },
            )
            for rules in RULES.values()
            for rule in rules.split()
        }
    }
)

HACS = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Optional("country"): vol.Any(str, [str]),
        **{
            vol.Optional(it): str for it in ("filename", "hacs", "persistent_directory")
        },
        vol.Optional("homeassistant"): vol.All(str, version),
        **{
            vol.Optional(it): bool
            for it in ("content_in_root", "hide_default_branch", "render_readme")
        },
        vol.Optional("zip_release"): bool,
    }
)
