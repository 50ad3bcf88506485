"""Repair issues: made and removed here, each from what is seen now."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, Issue
from .errors import refusal_code
from .forward import ForwardStatus
from .views import ForwardView, RouterView

# The router has not said yet whether it still refuses.
_UNDECIDED = (ForwardStatus.OPENING, ForwardStatus.UNREACHABLE)


def async_look_at_forward(hass: HomeAssistant, forward: ForwardView) -> None:
    """Tell of a wanted forward that the router refuses, until it does not."""
    issue_id = f"{Issue.FORWARD_REFUSED}_{forward.forward_id}"
    if forward.wanted and forward.refusal is not None:
        _warn(
            hass,
            issue_id,
            f"{Issue.FORWARD_REFUSED}_{forward.refusal.reason}",
            name=forward.name,
            code=refusal_code(forward.refusal),
        )
    elif forward.status not in _UNDECIDED:
        ir.async_delete_issue(hass, DOMAIN, issue_id)


def async_forget_forward(hass: HomeAssistant, forward_id: str) -> None:
    """Remove what was told of a forward that is no more."""
    ir.async_delete_issue(hass, DOMAIN, f"{Issue.FORWARD_REFUSED}_{forward_id}")


def async_look_at_router(
    hass: HomeAssistant, entry: ConfigEntry, router: RouterView
) -> None:
    """Tell of a router that is behind another one, until it is not."""
    issue_id = f"{Issue.DOUBLE_NAT}_{entry.entry_id}"
    if router.double_nat:
        _warn(
            hass,
            issue_id,
            Issue.DOUBLE_NAT,
            router=entry.title,
            external_address=router.external_ipv4 or "",
        )
    else:
        ir.async_delete_issue(hass, DOMAIN, issue_id)


def async_tell_store_lost(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Tell that the wishes are lost, and every forward is off."""
    _tell_of_store(hass, entry, Issue.STORE_LOST)


def async_tell_store_damaged(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Tell that some wishes or leases are lost."""
    _tell_of_store(hass, entry, Issue.STORE_DAMAGED)


def async_forget_store_lost(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Remove both: somebody has switched a forward on, or all is stored again."""
    for issue in (Issue.STORE_LOST, Issue.STORE_DAMAGED):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")


def async_look_at_storage(
    hass: HomeAssistant, entry: ConfigEntry, *, is_failing: bool
) -> None:
    """Tell of a disk that takes nothing, until it does."""
    if is_failing:
        _tell_of_store(hass, entry, Issue.STORAGE_FAILED)
    else:
        ir.async_delete_issue(hass, DOMAIN, f"{Issue.STORAGE_FAILED}_{entry.entry_id}")


def _tell_of_store(hass: HomeAssistant, entry: ConfigEntry, issue: Issue) -> None:
    _warn(hass, f"{issue}_{entry.entry_id}", issue, router=entry.title)


def _warn(
    hass: HomeAssistant, issue_id: str, translation_key: str, **placeholders: str
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def async_forget_router(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Remove what was told of a router that is no more, or not used any more."""
    for issue in (
        Issue.DOUBLE_NAT,
        Issue.STORE_LOST,
        Issue.STORE_DAMAGED,
        Issue.STORAGE_FAILED,
    ):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")
    for forward_id in entry.subentries:
        async_forget_forward(hass, forward_id)
