"""The brand images: the sizes that Home Assistant asks for, on nothing."""

import struct

import pytest

from .test_integration_files import COMPONENT

BRAND = COMPONENT / "brand"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("icon.png", (256, 256)),
        ("icon@2x.png", (512, 512)),
        ("dark_icon.png", (256, 256)),
        ("dark_icon@2x.png", (512, 512)),
    ],
)
def test_icons(name: str, size: tuple[int, int]) -> None:
    """Icons are squares of 256 pixels, or twice that."""
    assert _header(name)[:2] == size


@pytest.mark.parametrize("variant", ["logo", "dark_logo"])
def test_logos(variant: str) -> None:
    """The shorter side of a logo has 128 to 256 pixels, and twice that in @2x."""
    width, height, _ = _header(f"{variant}.png")
    assert 128 <= height <= 256
    assert height < width
    assert _header(f"{variant}@2x.png")[:2] == (2 * width, 2 * height)


def test_images() -> None:
    """There is nothing else in the folder, and all of it is transparent."""
    names = {
        f"{dark}{kind}{scale}.png"
        for dark in ("", "dark_")
        for kind in ("icon", "logo")
        for scale in ("", "@2x")
    }
    assert {path.name for path in BRAND.iterdir()} == names
    for name in names:
        assert _header(name)[2] == 6, "colours with transparency"


def _header(name: str) -> tuple[int, int, int]:
    """Return width, height and colour type of a PNG."""
    data = (BRAND / name).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, _depth, colour = struct.unpack_from(">IIBB", data, 16)
    return width, height, colour
