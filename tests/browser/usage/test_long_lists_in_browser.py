"""Long lists of keys and projects: by keyboard, on a phone, and without losing the place."""

from tests.apikeys.attribution.test_projects_page import make_projects
from tests.apikeys.keys.test_many_keys import make_keys
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene

KEYS = "/settings/api-keys/"
PROJECTS = "/settings/organization/acme/projects/"


def test_a_key_on_a_later_page_is_switched_by_keyboard_and_stays_in_view(browse: OpenBrowser, scene: Scene) -> None:
    made = make_keys(scene.world.charlie, 250)
    window = browse(scene.world.charlie)
    page = window.open(KEYS)
    page.locator("#list-next").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**?page=2")
    assert window.text(".card-total") == "250 keys · Page 2 of 3"
    switch = page.locator(f"#switch-{made[100].public_id}")
    switch.focus()
    page.keyboard.press("Space")
    page.get_by_role("status").filter(has_text="Tracking turned off").wait_for()
    assert switch.get_attribute("aria-checked") == "false"
    assert window.text(".card-total") == "250 keys · Page 2 of 3"
    assert page.evaluate("document.activeElement.id") == f"switch-{made[100].public_id}"


def test_long_lists_fit_on_a_phone(browse: OpenBrowser, scene: Scene) -> None:
    make_keys(scene.world.bob, 150)
    make_projects(scene.world.acme, 150)
    make_projects(scene.world.acme, 130, archived=True)
    for address in (f"{KEYS}?q=key", f"{PROJECTS}?q=project", f"{KEYS}?q=nothing", f"{PROJECTS}?old=2"):
        page = browse(scene.world.bob, width=390).open(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_a_key_is_renamed_and_another_revoked_and_the_list_stays_where_it_was(
    browse: OpenBrowser, scene: Scene
) -> None:
    make_keys(scene.world.rita, 250)
    window = browse(scene.world.rita)
    page = window.open(f"{KEYS}?page=2")
    page.get_by_role("link", name="Rename key 100").click()
    page.get_by_role("link", name="Cancel").click()
    assert "Page 2 of 3" in window.text(".card-total")
    page.get_by_role("link", name="Rename key 100").click()
    page.get_by_label("Name").fill("Gateway")
    page.get_by_role("button", name="Save name").click()
    page.get_by_text("Renamed to “Gateway”").wait_for()
    assert "Page 2 of 3" in window.text(".card-total")
    page.get_by_role("link", name="Revoke key 101…").click()
    page.get_by_role("button", name="Revoke key").click()
    page.get_by_text("“key 101” was revoked").wait_for()
    assert "Page 2 of 3" in window.text(".card-total")
    page.locator("#list-next").click()
    assert "Page 3 of 3" in window.text(".card-total")
