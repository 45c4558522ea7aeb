"""The API page in a browser: by keyboard, from a link to one address, and without scripts."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene

PAGE = "/api/docs"
EVENTS = "#post_usage_events"


def test_an_address_is_opened_by_keyboard_and_its_example_copied(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(PAGE)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    call = page.locator("details.api-call", has=page.locator(EVENTS))
    expect(page.locator(EVENTS)).to_be_hidden()
    call.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(EVENTS)).to_be_visible()
    call.get_by_role("button", name="Copy").first.press("Enter")
    expect(call.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('curl "http')
    assert "/v1/usage/events" in copied


def test_a_link_to_one_address_opens_it(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.rita).open(f"{PAGE}#get_organization_costs")
    expect(page.locator("#get_organization_costs")).to_be_visible()
    expect(page.locator(EVENTS)).to_be_hidden()


def test_it_is_read_without_scripts_and_without_signing_in(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(None, java_script_enabled=False).page
    page.goto(browse(None).server + PAGE)
    page.locator("details.api-call summary").first.click()
    expect(page.locator(EVENTS)).to_be_visible()
    expect(page.get_by_role("button", name="Copy").first).to_be_hidden()
