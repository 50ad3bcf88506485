"""Names that are odd and right, and what is wrong, typed by a person."""

from playwright.sync_api import Page, expect
import pytest

from tests.demo import Demo
from tests.real_ha.process import free_port

from . import frontend
from .bad_values import TEXTS
from .looking import Look
from .second_router import SecondRouter

ODD = {
    name: TEXTS[name]
    for name in ("html", "image", "template", "markdown", "arabic", "emoji", "sql")
}
ERRORS = "config_subentries.forward.error"
# A field, what is typed there, and the key of what is then said.
WRONG = [
    ("name", TEXTS["spaces"], "invalid_name"),
    ("name", TEXTS["long"], "invalid_name"),
    ("name", TEXTS["turned"], "invalid_name"),
    ("name", TEXTS["zero width"], "invalid_name"),
    ("internal_port", "-1", "invalid_port"),
    ("internal_port", "0", "invalid_port"),
    ("internal_port", "80.5", "invalid_port"),
    ("internal_port", "1e30", "invalid_port"),
    ("internal_port", "", "invalid_port"),
]
WRONG_ADVANCED = [
    ("external_port", "65536", "invalid_external_port"),
    ("external_port", "5351", "invalid_external_port"),
    ("port_count", "1000", "invalid_port_count"),
    ("target_host", TEXTS["html"], "invalid_address"),
    ("target_host", TEXTS["sql"], "invalid_address"),
    ("target_host", TEXTS["emoji"], "invalid_address"),
]


def test_odd_names(look: Look, demo: Demo, second_router: SecondRouter) -> None:
    """They are shown as they were given, letter by letter, wherever they appear."""
    page = look.page
    entry_id = second_router.add()["entry_id"]
    for name in (*ODD.values(), "Twin", "Twin"):
        demo.api.call_service(
            "pcp",
            "add_forward",
            {"config_entry_id": entry_id, "name": name, "internal_port": free_port()},
            return_response=True,
        )
    frontend.go_to_integration(page, demo)
    for name in ODD.values():
        expect(frontend.forward_row(page, name)).to_be_visible()
    expect(frontend.forward_row(page, "Twin")).to_have_count(2)
    look.at("odd-names-1-integration")
    for kind, name in ODD.items():
        frontend.go_to_device(page, demo, name)
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
        if kind in ("html", "arabic"):
            look.at(f"odd-names-2-{kind}")
    assert "owned" not in page.title()

    # The dialog that ends with the address takes a name as Markdown.
    frontend.open_forward_dialog(page, demo, second_router.address)
    name = "<img src=x onerror=\"document.title='owned'\"> **b** [l](javascript:1)"
    frontend.forward_field(page, "name").fill(name)
    frontend.forward_field(page, "internal_port").fill(str(free_port()))
    frontend.submit(page)
    page.get_by_role("button", name="Finish").wait_for()
    expect(page.get_by_text(f"{name} is open.")).to_be_visible()
    look.at("odd-names-3-success")
    assert (
        page.locator("ha-dialog img[onerror], ha-dialog a[href^=javascript]").count()
        == 0
    )
    assert "owned" not in page.title()

    # So does the description of a repair; its title does not.
    second_router.tell("personality refuses_all")
    second_router.tell("reboot")
    frontend.go_to(page, f"{demo.home_assistant.url}/config/repairs")
    page.get_by_text(f"The router refuses the forward {name}", exact=True).click()
    expect(page.get_by_text(f"{name} is switched on")).to_be_visible()
    look.at("odd-names-4-repair")
    assert page.locator("ha-dialog a[href^=javascript]").count() == 0
    assert "owned" not in page.title()


def test_bad_input_is_told(page: Page, demo: Demo) -> None:
    """At the field, or at the top for what is in the section; and nothing is added."""
    before = demo.api.subentries(demo.entry_id)
    frontend.open_forward_dialog(page, demo)
    good = {"name": "Bad", "internal_port": str(free_port())}
    for key, typed, error in WRONG:
        for field, value in (good | {key: typed}).items():
            frontend.forward_field(page, field).fill(value)
        frontend.submit(page)
        expect(frontend.error(page)).to_contain_text(
            frontend.words(f"{ERRORS}.{error}")
        )
        frontend.forward_field(page, key).fill(good[key])
    frontend.open_advanced(page)
    for key, typed, error in WRONG_ADVANCED:
        frontend.advanced_field(page, key).fill(typed)
        frontend.submit(page)
        expect(frontend.error(page)).to_contain_text(
            frontend.words(f"{ERRORS}.{error}")
        )
        frontend.advanced_field(page, key).fill("1" if key == "port_count" else "")
    assert demo.api.subentries(demo.entry_id) == before


@pytest.mark.parametrize("language", ["de"])
def test_errors_are_in_the_users_language(
    page: Page, demo: Demo, language: str
) -> None:
    """What is wrong is told in the language that the user has chosen."""
    page.evaluate(f"localStorage.selectedLanguage = JSON.stringify('{language}')")
    page.goto(f"{demo.home_assistant.url}/config/integrations/integration/pcp")
    add = frontend.words("config_subentries.forward.initiate_flow.user", language)
    page.get_by_role("button", name=add).click()
    label = frontend.words("config_subentries.forward.step.user.data.name", language)
    frontend.field(page, label).fill(" ")
    page.locator("ha-dialog").get_by_role("button").last.click()
    keys = ("invalid_name", "invalid_port")
    said = [frontend.words(f"{ERRORS}.{key}", language) for key in keys]
    expect(frontend.error(page)).to_contain_text(said)
