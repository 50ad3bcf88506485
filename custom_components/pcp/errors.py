"""What goes wrong, in words for the user."""

from homeassistant.exceptions import HomeAssistantError

from .client.mapping import Refusal, RefusalReason
from .const import DOMAIN


class RefusedError(HomeAssistantError):
    """What was asked for is not done: the router said no or nothing, or we cannot."""

    def __init__(
        self,
        key: str,
        *,
        field: str | None = None,
        placeholders: dict[str, str] | None = None,
    ) -> None:
        """Keep the key of the text, and the form's field that it belongs to."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders=placeholders,
        )
        self.key = key
        self.field = field
        self.placeholders = placeholders

    @classmethod
    def from_refusal(cls, refusal: Refusal) -> RefusedError:
        """Return the error that tells a refusal."""
        is_about_the_port = refusal.reason in (
            RefusalReason.EXTERNAL_PORT_TAKEN,
            RefusalReason.CANNOT_PROVIDE_EXTERNAL,
        )
        return cls(
            refusal.reason,
            field="external_port" if is_about_the_port else None,
            placeholders=refusal_placeholders(refusal),
        )


def refusal_code(refusal: Refusal) -> str:
    """Return a refusal's code on the wire, and its name where it has one."""
    code = refusal.result_code
    return f"{int(code)} {getattr(code, 'name', '')}".strip()


def refusal_placeholders(refusal: Refusal) -> dict[str, str] | None:
    """Return what a refusal's text needs beside its key."""
    if refusal.reason is not RefusalReason.ROUTER_REFUSED:
        return None
    return {"code": refusal_code(refusal)}
