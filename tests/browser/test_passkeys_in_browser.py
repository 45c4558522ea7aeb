"""Passkeys, with an authenticator that Chromium pretends to have: added, used to sign in, under the strict policy."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_routing_in_browser import sign_in
from tests.world import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True, scope="module")
def synchronous() -> Iterator[None]:
    """Playwright runs a loop in this thread; Django is told that its calls here are synchronous all the same.

    The server's threads give their connections back after each answer, so that none is open when the database is dropped.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        patch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
        yield


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


@pytest.fixture
def page(chromium: Browser, live_server: Any, world: World) -> Iterator[Page]:
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    yield page
    context.close()
    assert not errors


def test_a_passkey_is_added_and_signs_in_without_a_password(page: Page, world: World) -> None:
    sign_in(page, world.rita)
    page.goto("/settings/security/")
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Ritas laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("main")).to_contain_text("Recovery Codes")
    page.goto("/settings/security/")
    expect(page.get_by_role("main")).to_contain_text("You have at least one")
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/usage/activity/")


def test_a_code_of_an_app_is_asked_for_and_wrong_ones_are_refused(page: Page, world: World) -> None:
    sign_in(page, world.rita)
    page.goto("/accounts/2fa/totp/activate/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    image = page.locator("img.qr")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") > 0
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Incorrect code")).to_be_visible()
