"""What takes minutes, with nothing made short: run beside the other tests."""

import pytest

from .home import Home
from .router import Router
from .waiting import wait_until
from .watching import let_pass

SERVICE = 8443


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_lost_announcement(home: Home, router: Router) -> None:
    """A reboot whose ANNOUNCE was lost is found within five minutes."""
    # In four minutes the clocks may drift by a sixteenth. RFC 6887 8.5
    wait_until(
        lambda: router.uptime > 30, "the router to be up for a while", timeout=40
    )
    home.listen(SERVICE)
    door = home.add("Web", SERVICE)
    router.drop_announcements()
    let_pass(router)
    router.reboot()
    home.wait_until_passes(SERVICE, timeout=310.0)
    door.wait_for("open", switch="on")
