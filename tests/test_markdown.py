"""Names inside descriptions."""

import pytest

from custom_components.pcp.markdown import as_it_is


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Game server", "Game server"),
        ("Router (192.168.1.1)", "Router (192.168.1.1)"),
        ("Router (fe80::1%eth0)", "Router (fe80::1%eth0)"),
        ("**b** _i_ `c`", r"\*\*b\*\* \_i\_ \`c\`"),
        ("[l](javascript:1)", r"\[l\](javascript:1)"),
        ("<img src=x> &lt;", r"\<img src=x\> \&lt;"),
        ("http://x www.x.y a@b.c", r"http\://x www\.x.y a\@b.c"),
        ("# one", r"\# one"),
        ("1. one", r"1\. one"),
        ("- one", r"\- one"),
        ("a\\*b", r"a\\\*b"),
    ],
)
def test_a_name_is_shown_as_it_is(text: str, markdown: str) -> None:
    """What speaks Markdown is quoted; ordinary names and addresses stay readable."""
    assert as_it_is(text) == markdown
