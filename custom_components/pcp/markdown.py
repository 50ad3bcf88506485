"""Names inside the descriptions of forms and issues, which are shown as Markdown."""

import re

# Emphasis, code, links, HTML and references; addresses that become links by themselves;
# and what at the beginning of a paragraph is a heading, a quotation or a list.
_SPEAKING = re.compile(
    r"[\\`*_\[\]<>&~|#@]|:(?=//)|(?<=www)\.|^[-+]|(?<=\d)[.)](?=\s)", re.IGNORECASE
)


def as_it_is(text: str) -> str:
    """Return Markdown that shows a text as it is."""
    return _SPEAKING.sub(r"\\\g<0>", text)
