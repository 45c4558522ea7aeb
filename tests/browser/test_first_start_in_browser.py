"""The first start as an operator goes through it: the code from the log, staff, the command, the event that arrives, a token."""

import json
import re
import subprocess

from playwright.sync_api import Page, expect
from pytest_django import Settings

from accounts.models import User
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import LOOKS, violations
from tests.engine import roll_up
from usage_dashboard.first_start import setting_up


def test_from_the_code_to_the_first_event_and_an_operator_token(
    browse: OpenBrowser, scene: Scene, server: str, settings: Settings
) -> None:
    settings.SITE_ADDRESS = server
    link = setting_up.link()
    window = browse(None)
    page = window.page
    page.goto(link)
    require_good_looks(page)
    become_staff(page)
    window.complaints[:] = [
        found for found in window.complaints if "422" not in found
    ]  # of the password that was refused
    report_the_first_event(page)
    see_it_arrive(page)
    require_good_looks(page)
    make_and_revoke_an_operator_token(page)

    page.goto(link)  # which opens nothing any more
    assert "/first-start/" not in page.url
    assert User.objects.get(is_staff=True).email == "olivia@operator.test"


def become_staff(page: Page) -> None:
    expect(page.get_by_label("Code")).to_have_value(setting_up.code())
    page.get_by_label("Your name").fill("Olivia")
    page.get_by_label("Your email").fill("olivia@operator.test")
    page.get_by_label("A password for you").fill("short")
    page.get_by_label("Your first organization").fill("Northwind")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("This password is too short")).to_be_visible()
    expect(page.get_by_label("Your first organization")).to_have_value("Northwind")
    page.get_by_label("A password for you").fill("a long walk by the sea")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Your first event")).to_be_visible()


def report_the_first_event(page: Page) -> None:
    """By the command as it stands on the page, whose token no reload shows again."""
    require_good_looks(page)
    command = page.locator("code", has_text="curl").first.inner_text()
    token = re.search(r"it-[0-9A-Za-z]{40}", command)
    assert token is not None
    done = subprocess.run(["sh", "-c", f"{command} --silent"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["accepted"] == 1
    roll_up()
    page.reload()
    assert token[0] not in page.content()


def see_it_arrive(page: Page) -> None:
    page.get_by_role("link", name="Go to Usage").click()
    expect(page.locator("main")).to_contain_text("gpt-4o-mini")
    page.get_by_role("link", name="Overview").click()
    page.get_by_text(re.compile(r"^Done \(")).click()
    expect(page.get_by_text("Your gateway reports usage")).to_be_visible()
    page.get_by_role("link", name="Operator tokens").first.click()
    expect(page.get_by_role("heading", name="Operator tokens", level=1)).to_be_visible()


def make_and_revoke_an_operator_token(page: Page) -> None:
    """Its secret is shown once."""
    page.get_by_label("Name", exact=True).fill("CRM")
    page.get_by_label("Users", exact=True).check()
    page.get_by_role("button", name="Create token").click()
    secret = page.locator("code", has_text="op-").first.inner_text()
    assert re.fullmatch(r"op-[0-9A-Za-z]{40}", secret)
    require_good_looks(page)
    page.reload()
    assert secret not in page.content()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Revoke CRM…").click()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("“CRM” was revoked")).to_be_visible()


def require_good_looks(page: Page) -> None:
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], f"{page.url}, {width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url}, {width} px"
    page.set_viewport_size({"width": 1380, "height": 900})
