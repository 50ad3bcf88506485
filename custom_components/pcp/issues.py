"""Repair issues: made and removed here, each from what is seen now."""

from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from .client.mapping import RefusalReason
from .const import DOMAIN, Issue
from .errors import refusal_code
from .forward import ForwardStatus
from .markdown import as_it_is
from .views import ForwardView, RouterView

if TYPE_CHECKING:
    from .coordinator import PcpConfigEntry

# Where the documents say what to do.
_PAGES = {
    Issue.DOUBLE_NAT: "routers.md#two-routers-one-behind-the-other",
    Issue.CARRIER_GRADE_NAT: "routers.md#carrier-grade-nat",
    Issue.STORE_LOST: "troubleshooting.md#the-storage",
    Issue.STORE_DAMAGED: "troubleshooting.md#the-storage",
    Issue.STORAGE_FAILED: "troubleshooting.md#the-storage",
}
_REFUSED_PAGE = "troubleshooting.md#refused"
_REFUSED_PAGES = {
    RefusalReason.NOT_AUTHORIZED: "routers.md#which-routers",
    RefusalReason.ADDRESS_MISMATCH: "routers.md#docker-virtual-machines",
}

# The router has not said yet whether it still refuses.
_UNDECIDED = (ForwardStatus.OPENING, ForwardStatus.UNREACHABLE)


def async_look_at_forward(hass: HomeAssistant, forward: ForwardView) -> None:
    """Tell of a wanted forward that the router refuses, until it does not."""
    issue_id = f"{Issue.FORWARD_REFUSED}_{forward.forward_id}"
    if forward.wanted and forward.refusal is not None:
        reason = forward.refusal.reason
        _tell(
            hass,
            issue_id,
            f"{Issue.FORWARD_REFUSED}_{reason}",
            page=_REFUSED_PAGES.get(reason, _REFUSED_PAGE),
            name=forward.name,
            code=refusal_code(forward.refusal),
        )
    elif forward.status not in _UNDECIDED:
        ir.async_delete_issue(hass, DOMAIN, issue_id)


def async_forget_forward(hass: HomeAssistant, forward_id: str) -> None:
    """Remove what was told of a forward that is no more."""
    ir.async_delete_issue(hass, DOMAIN, f"{Issue.FORWARD_REFUSED}_{forward_id}")


def async_look_at_router(
    hass: HomeAssistant, entry: PcpConfigEntry, router: RouterView
) -> None:
    """Tell of a router that is behind another NAT, and behind whose, until it is not.

    While its address is unknown it has not said that it is over.
    """
    if router.double_nat is None:
        return
    told = None
    if router.double_nat:
        shared = router.carrier_grade_nat
        told = Issue.CARRIER_GRADE_NAT if shared else Issue.DOUBLE_NAT
    for issue in (Issue.DOUBLE_NAT, Issue.CARRIER_GRADE_NAT):
        issue_id = f"{issue}_{entry.entry_id}"
        if issue is not told:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
            continue
        _tell(
            hass,
            issue_id,
            issue,
            page=_PAGES[issue],
            # The forwards do what they can: it is where they are.
            severity=ir.IssueSeverity.WARNING,
            router=entry.title,
            external_address=router.external_ipv4 or "",
        )


def async_forget_nat(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Remove what was told of a router in whose place there is another one."""
    for issue in (Issue.DOUBLE_NAT, Issue.CARRIER_GRADE_NAT):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")


def async_tell_store_lost(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Tell that the wishes are lost, and every forward is off."""
    _tell_of_store(hass, entry, Issue.STORE_LOST)


def async_tell_store_damaged(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Tell that some wishes or leases are lost."""
    _tell_of_store(hass, entry, Issue.STORE_DAMAGED)


def async_forget_store_lost(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Remove both: somebody has switched a forward on, or all is stored again."""
    for issue in (Issue.STORE_LOST, Issue.STORE_DAMAGED):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")


def async_look_at_storage(
    hass: HomeAssistant, entry: PcpConfigEntry, *, is_failing: bool
) -> None:
    """Tell of a disk that takes nothing, until it does."""
    if is_failing:
        _tell_of_store(hass, entry, Issue.STORAGE_FAILED)
    else:
        ir.async_delete_issue(hass, DOMAIN, f"{Issue.STORAGE_FAILED}_{entry.entry_id}")


def _tell_of_store(hass: HomeAssistant, entry: PcpConfigEntry, issue: Issue) -> None:
    _tell(
        hass,
        f"{issue}_{entry.entry_id}",
        issue,
        page=_PAGES[issue],
        router=entry.title,
    )


def _tell(
    hass: HomeAssistant,
    issue_id: str,
    translation_key: str,
    *,
    page: str,
    severity: ir.IssueSeverity = ir.IssueSeverity.ERROR,
    **placeholders: str,
) -> None:
    """Tell that something does not work now, unless the severity says less.

    A description is Markdown, a title is plain text: it has the same placeholders with
    `plain_` before their names.
    """
    documentation = async_get_loaded_integration(hass, DOMAIN).documentation
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        learn_more_url=f"{documentation}/blob/main/docs/{page}",
        severity=severity,
        translation_key=translation_key,
        translation_placeholders={
            **{key: as_it_is(text) for key, text in placeholders.items()},
            **{f"plain_{key}": text for key, text in placeholders.items()},
        },
    )


def async_forget_router(hass: HomeAssistant, entry: PcpConfigEntry) -> None:
    """Remove what was told of a router that is no more, or not used any more."""
    async_forget_nat(hass, entry)
    for issue in (Issue.STORE_LOST, Issue.STORE_DAMAGED, Issue.STORAGE_FAILED):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")
    for forward_id in entry.subentries:
        async_forget_forward(hass, forward_id)
