"""What people do on the settings pages, in a real browser: nothing happens before they say so."""

from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from playwright.sync_api import Route, expect

from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import Membership, User
from accounts.organizations import organizations
from apikeys import secrets
from apikeys.models import APIKey
from billing.models import PriceChange
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import violations

MEMBERS = "/settings/organization/acme/members/"


def role_of_rita(scene: Scene) -> str:
    return Membership.objects.get(user=scene.world.rita, organization=scene.world.acme).role


def test_an_arrow_key_changes_no_role_before_save_and_undo_takes_it_back(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(MEMBERS)
    role = page.get_by_label("Role of Rita Rao", exact=True)
    save = page.get_by_role("button", name="Save the role of Rita Rao")
    expect(save).to_be_disabled()
    role.focus()
    page.keyboard.press("ArrowUp")
    expect(role).to_have_value("admin")
    page.wait_for_timeout(300)
    assert page.url.endswith(MEMBERS)
    assert role_of_rita(scene) == "reader"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Rita Rao is now an admin.")
    assert role_of_rita(scene) == "admin"
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Rita Rao is now a reader.")
    assert role_of_rita(scene) == "reader"


@pytest.mark.parametrize("scripts", [True, False])
def test_an_owner_is_asked_for_and_a_reload_of_the_question_asks_again(
    browse: OpenBrowser, scene: Scene, scripts: bool
) -> None:
    page = browse(scene.world.alice, java_script_enabled=scripts).open(MEMBERS)
    page.get_by_label("Role of Rita Rao", exact=True).select_option("owner")
    page.get_by_role("button", name="Save the role of Rita Rao").click()
    expect(page.get_by_role("heading", name="Make Rita Rao an owner of Acme?")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Make owner")).to_be_visible()
    assert role_of_rita(scene) == "reader"
    page.goto(page.url)
    expect(page.get_by_role("heading", name="Members", exact=True)).to_be_visible()
    assert role_of_rita(scene) == "reader"


def test_what_is_clicked_again_before_the_answer_is_sent_once(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.rita).open("/settings/api-keys/")
    page.get_by_label("Name", exact=True).fill("once")
    on_the_way: list[Route] = []

    def hold(route: Route) -> None:
        on_the_way.append(route)

    page.route("**/settings/api-keys/**", hold)
    button = page.get_by_role("button", name="Create key").bounding_box()
    assert button is not None
    for _ in range(3):
        page.mouse.click(button["x"] + 9, button["y"] + 9)
        page.wait_for_timeout(150)
    (request,) = on_the_way
    request.continue_()
    expect(page.locator(".copyable code")).to_be_visible()
    assert APIKey.objects.filter(name="once").count() == 1


def test_reloading_the_page_of_a_secret_makes_no_other_one(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.rita).open("/settings/api-keys/")
    page.get_by_label("Name", exact=True).fill("reloaded")
    page.get_by_role("button", name="Create key").click()
    made = page.locator(".copyable code").inner_text()
    api_key = APIKey.objects.get(name="reloaded")
    assert bytes(api_key.digest) == secrets.digest(made)
    page.reload()
    expect(page.get_by_text("has been shown already")).to_be_visible()
    expect(page.locator(".copyable")).to_have_count(0)
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Make a new secret").click()
    rotated = page.locator(".copyable code").inner_text()
    for _ in range(2):
        page.reload()
        expect(page.get_by_text("has been shown already")).to_be_visible()
        expect(page.get_by_text("The previous secret stays valid until")).to_be_visible()
    api_key.refresh_from_db()
    assert bytes(api_key.digest) == secrets.digest(rotated)
    assert bytes(api_key.previous_digest or b"") == secrets.digest(made)
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Make a new secret").click()
    assert page.get_by_role("checkbox").evaluate("box => box.validity.valueMissing")
    api_key.refresh_from_db()
    assert bytes(api_key.digest) == secrets.digest(rotated)


BILLING = "/settings/organization/acme/billing/"


def test_opening_the_address_of_a_refused_form_leads_back_to_its_page(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(BILLING)
    page.get_by_label("URL").fill("https://127.0.0.1/")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_text("has no address on the public Internet")).to_be_visible()
    assert page.url.endswith("/webhooks/")
    page.goto(page.url)
    assert page.url.endswith(BILLING)
    expect(page.get_by_role("heading", name="Billing", exact=True)).to_be_visible()


def test_a_form_that_another_window_has_overtaken_is_kept(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.bob, locale="en-US")
    page = window.open("/settings/profile/")
    page.get_by_label("Name").fill("Bob “the” Byrd")
    name = django_settings.CSRF_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": "n" * 32, "url": window.server}])  # as signing in again does
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("heading", name="Send it again")).to_be_visible()
    expect(page.get_by_role("navigation", name="Settings")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Name saved.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Bob “the” Byrd")
    window.complaints.clear()  # Chromium notes every answer that is an error


@pytest.mark.parametrize(("address", "status"), [(MEMBERS, 403), ("/settings/organization/acme/nowhere/", 404)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_refusal_keeps_the_menu_and_is_accessible(
    browse: OpenBrowser, scene: Scene, address: str, status: int, scheme: Any
) -> None:
    window = browse(scene.world.rita)
    page = window.page
    page.emulate_media(color_scheme=scheme)
    answer = page.goto(window.server + address)
    assert answer is not None
    assert answer.status == status
    assert violations(page) == []
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="API keys").click()
    expect(page.get_by_role("heading", name="API keys", exact=True)).to_be_visible()
    window.complaints.clear()


@pytest.mark.parametrize("width", [1380, 360])
def test_who_joins_sees_where_their_usage_will_count(browse: OpenBrowser, scene: Scene, width: int) -> None:
    email = f"dana{width}@example.test"
    with transaction.atomic():
        now = database_now()
        dana = organizations.create_user(email=email, now=now)
        token = invitations.invite(
            organization=scene.world.acme,
            email=email,
            role="reader",
            invited_by=scene.world.alice,
            now=now,
            actor=Actor(),
        )
    page = browse(dana, width=width).open(f"/invitations/{token}/")
    assert violations(page) == []
    group = page.get_by_role("group", name="Usage of your API keys counts in")
    expect(group.get_by_role("radio", name="Acme")).to_be_checked()
    expect(group.get_by_role("radio", name="Personal")).not_to_be_checked()
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("status").first).to_contain_text("Usage of your API keys counts in Acme.")
    page.goto(f"{page.url.split('/settings')[0]}/settings/api-keys/")
    expect(page.get_by_text("Usage of these keys is counted in Acme")).to_be_visible()


def test_the_unit_of_a_price_follows_its_part_and_a_slip_is_typed_again(browse: OpenBrowser, scene: Scene) -> None:
    User.objects.filter(pk=scene.world.charlie.pk).update(is_staff=True, is_superuser=True)
    page = browse(scene.world.charlie).open("/settings/prices/change/")
    unit = page.get_by_label("Price is")
    shown = "field => field.selectedOptions[0].textContent"
    assert unit.evaluate(shown) == "per 1M tokens"
    page.get_by_label("Line item").select_option("image")
    assert unit.evaluate(shown) == "per image"
    page.get_by_label("Line item").select_option("output")
    assert unit.evaluate(shown) == "per 1M tokens"
    page.get_by_label("Model", exact=True).fill("gpt-4o")
    page.get_by_label("From (UTC day)").fill(f"{scene.today}")
    page.get_by_label("Price in US dollars").fill("0.60")
    unit.select_option("per unit")
    page.get_by_role("button", name="Preview what this changes").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("$600,000.00 per 1M tokens")
    for width in (360, 1380):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.get_by_role("button", name="Save price and recalculate").click()
    expect(page.get_by_role("alert")).to_contain_text("Type the amount as it is asked for")
    assert not PriceChange.objects.exists()
    unit.select_option("per 1M tokens")
    page.get_by_role("button", name="Preview what this changes").click()
    expect(page.get_by_label("If it is meant")).to_have_count(0)
    page.get_by_role("button", name="Save price and recalculate").click()
    expect(page.get_by_role("heading", name="gpt-4o, output")).to_be_visible()
    assert PriceChange.objects.get().unit_price == Decimal("0.0000006")
