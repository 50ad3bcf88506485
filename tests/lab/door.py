"""One forward, and a router's events, as Home Assistant's entities show them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.real_ha import HomeAssistantApi
from tests.real_ha.client import Json
from tests.real_ha.connection import Subscription

if TYPE_CHECKING:
    from .home import Home

# After a reboot: the wait of at most 5 s of RFC 6887 14.1.3, 10 s between two
# verifications, and a slow machine.
RECOVERY = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One forward, by its entities."""

    home: Home
    forward_id: str

    def entity_id(self, key: str) -> str:
        """Return the entity id of the switch (`forward`) or a sensor."""
        return self.home.entity_id(f"{self.forward_id}_{key}")

    def response(self) -> Json:
        """Return the forward as the actions tell it."""
        (found,) = (
            forward
            for forward in self.home.doors()
            if forward["forward_id"] == self.forward_id
        )
        return found

    def exists(self) -> bool:
        """Tell whether there is still such a forward."""
        return any(
            forward["forward_id"] == self.forward_id for forward in self.home.doors()
        )

    def state(self, key: str) -> str:
        """Return the state of one of its entities."""
        return state_of(self.home.api, self.entity_id(key))

    @property
    def status(self) -> str:
        """What the router has granted."""
        return self.state("status")

    @property
    def switch(self) -> str:
        """What the user wants: on or off."""
        return self.state("forward")

    @property
    def external_address(self) -> str:
        """Where it can be reached, as the sensor shows it."""
        return self.state("external_address")

    @property
    def external_port(self) -> int:
        """Where it can be reached, the port alone."""
        return int(self.external_address.rpartition(":")[2])

    @property
    def expires_in(self) -> float:
        """Seconds until the lease ends, as the sensor shows it."""
        at = datetime.fromisoformat(self.state("expires_at"))
        return (at - datetime.now(UTC)).total_seconds()

    def wait_for(
        self, status: str, *, switch: str | None = None, timeout: float = RECOVERY
    ) -> None:
        """Wait for a status, and for the switch when it is said."""
        wait_for = self.home.api.wait_for_state
        wait_for(self.entity_id("status"), status, timeout=timeout)
        if switch is not None:
            wait_for(self.entity_id("forward"), switch)

    def turn(self, switch: str) -> None:
        """Turn the switch `on` or `off`."""
        self.home.api.call_service(
            "switch", f"turn_{switch}", target={"entity_id": self.entity_id("forward")}
        )

    def open_for(self, seconds: int) -> None:
        """Open it for a while."""
        self.home.api.call_service(
            "pcp",
            "open_forward",
            {"duration": seconds},
            target={"entity_id": self.entity_id("forward")},
        )

    def remove(self) -> None:
        """Remove it by the action."""
        self.home.api.call_service(
            "pcp", "remove_forward", {"forward_id": self.forward_id}
        )


@dataclass(frozen=True, slots=True)
class RouterEvents:
    """The events of the router's event entity, in order."""

    entity_id: str
    subscription: Subscription

    def wait_for(self, event_type: str, *, timeout: float = RECOVERY) -> Json:
        """Return the attributes of the next event of that type."""

        def is_it(event: Json) -> bool:
            data = event["data"]
            return bool(
                data["entity_id"] == self.entity_id
                and data["new_state"] is not None
                and data["new_state"]["attributes"].get("event_type") == event_type
            )

        event = self.subscription.next_that(is_it, timeout)
        attributes: Json = event["data"]["new_state"]["attributes"]
        return attributes


def state_of(api: HomeAssistantApi, entity_id: str) -> str:
    """Return the state of an entity that is there."""
    state = api.get_state(entity_id)
    assert state is not None, entity_id
    text: str = state["state"]
    return text
