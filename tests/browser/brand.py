"""Make the integration's brand images of docs/brand/*.svg; scripts/brand runs it.

Icons are squares of 256 pixels, logos 128 pixels high, both also at twice the size and
for dark backgrounds, as Home Assistant serves them from the integration's own folder.
"""

from playwright.sync_api import Browser

from tests.real_ha.process import ROOT

from . import chromium

SOURCES = ROOT / "docs" / "brand"
IMAGES = ROOT / "custom_components" / "pcp" / "brand"
# Light colours and what they become on a dark background.
DARK = {"#12b5cb": "#2fd3e6", "#0b57a4": "#2c7fd6"}
DARK_LETTERS = {"#0b3d6f": "#ffffff"}


def main() -> None:
    """Draw all of them."""
    icon = (SOURCES / "icon.svg").read_text(encoding="utf-8")
    letters = (SOURCES / "letters.svg").read_text(encoding="utf-8")
    dark_icon, dark_letters = recoloured(icon, DARK), recoloured(letters, DARK_LETTERS)
    IMAGES.mkdir(exist_ok=True)
    with chromium.run() as browser:
        draw(browser, "icon", icon)
        draw(browser, "dark_icon", dark_icon)
        draw(browser, "logo", icon, letters)
        draw(browser, "dark_logo", dark_icon, dark_letters)


def recoloured(svg: str, colours: dict[str, str]) -> str:
    """Return a drawing in other colours."""
    for light, dark in colours.items():
        svg = svg.replace(light, dark)
    return svg


def draw(browser: Browser, name: str, icon: str, letters: str = "") -> None:
    """Draw one image in both sizes, on nothing."""
    height = 128 if letters else 256
    if letters:
        # The logo's icon has no empty space above and below.
        icon = icon.replace('viewBox="0 0 512 512"', 'viewBox="0 76 512 360"')
        letters = letters.replace("<svg", '<svg style="margin-left:12px"')
    style = f"body{{margin:0}}div{{display:inline-flex;height:{height}px}}"
    style += "svg{height:100%;width:auto}"
    for scale, suffix in ((1, ""), (2, "@2x")):
        page = browser.new_page(device_scale_factor=scale)
        page.set_content(f"<style>{style}</style><div>{icon}{letters}</div>")
        page.locator("div").screenshot(
            path=IMAGES / f"{name}{suffix}.png", omit_background=True
        )
        page.close()


if __name__ == "__main__":
    main()
