"""What is wrong in a Home Assistant's log."""

import re

# A line of the log that begins with a time begins a record.
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
# What Home Assistant says of libraries that the machine lacks, of integrations that its
# onboarding adds without being able to install what they need, of its own look-ups where
# there is no DNS, and when a browser's page is closed just as it writes to it.
_FOREIGN = re.compile(
    r"\[(haffmpeg|homeassistant\.components\.camera)\."
    r"|google_translate|radio_browser|\bmet\b|Timeout while contacting DNS servers"
    r"|\[homeassistant\] Error doing job: ClientConnectionResetError"
)


def faults(log: str) -> list[str]:
    """Return the records that have a stack trace, or are errors of the integration."""
    return [
        record
        for record in _RECORD.split(log)
        if "Traceback" in record or "[custom_components.pcp" in record
        if " ERROR " in record or "Traceback" in record
        if not _FOREIGN.search(record)
    ]
