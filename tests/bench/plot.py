"""A bar chart as SVG, with a logarithmic axis: the times span four powers of ten."""

from collections.abc import Mapping
from math import log10
from xml.sax.saxutils import escape

_LEFT, _WIDTH, _BAR, _GAP = 150, 480, 14, 22
_COLOURS = ("#3b6ea5", "#7fa650", "#c0793b")
_LEAST, _MOST = -1, 4


def bars(title: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """Return a chart of milliseconds: for each name a group of named bars."""
    names = list(next(iter(values.values())))
    group = _BAR * len(names) + _GAP
    height = 70 + group * len(values)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="720" height="{height}" fill="white"/>',
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>',
    ]
    for power in range(_LEAST, _MOST + 1):
        x = _x(10.0**power)
        lines.append(
            f'<line x1="{x}" y1="50" x2="{x}" y2="{height - 10}" stroke="#ddd"/>'
            f'<text x="{x}" y="44" text-anchor="middle" fill="#666">'
            f"{10.0**power:g} ms</text>"
        )
    for row, (name, group_values) in enumerate(values.items()):
        top = 60 + row * group
        middle = top + _BAR * len(names) / 2 + 4
        lines.append(
            f'<text x="{_LEFT - 8}" y="{middle:g}" text-anchor="end">'
            f"{escape(name)}</text>"
        )
        for number, (label, value) in enumerate(group_values.items()):
            y = top + number * _BAR
            end = max(_x(value), _LEFT + 1)
            lines.append(
                f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:g}"'
                f' height="{_BAR - 2}" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
                f'<text x="{end + 4:g}" y="{y + 10}" font-size="10">'
                f"{escape(label)} {value:.3g}</text>"
            )
    return "\n".join([*lines, "</svg>", ""])


def _x(milliseconds: float) -> float:
    share = (log10(max(milliseconds, 1e-9)) - _LEAST) / (_MOST - _LEAST)
    return round(_LEFT + _WIDTH * max(share, 0.0), 1)
