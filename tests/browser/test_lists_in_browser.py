"""How long lists and forms look: nothing is under the bar, cut into pieces, or looks like what it is not."""

from datetime import date, timedelta

import pytest
from django.db import transaction
from playwright.sync_api import Locator

from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.members import invitations
from billing.models import Invoice
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.world import LONG_AGO
from usage_dashboard.models import ScimGroup

ORGANIZATION = "/settings/organization/acme"
LINE_HEIGHT = 24


def style(element: Locator, name: str) -> str:
    found: str = element.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    return found


def test_what_an_address_names_is_not_under_the_bar(browse: OpenBrowser, scene: Scene) -> None:
    with transaction.atomic():
        ScimGroup.objects.bulk_create(
            ScimGroup(organization=scene.world.acme, name=f"Group {number:03}", updated_at=LONG_AGO)
            for number in range(201)
        )
    page = browse(scene.world.alice).open(f"{ORGANIZATION}/provisioning/?groups=2#groups")
    heading = page.locator("#groups").bounding_box()
    bar = page.locator(".top-bar").bounding_box()
    assert heading is not None
    assert bar is not None
    assert bar["height"] <= heading["y"] <= bar["height"] + 100
    role = page.get_by_label("Role of Group 100", exact=True)
    assert style(role, "borderRadius") != "0px"
    save = page.get_by_role("button", name="Save the role of Group 100")
    assert save.is_disabled()
    role.select_option("owner")
    save.click()
    page.get_by_role("button", name="Make owners").click()
    page.wait_for_load_state("load")
    assert "Page 2 of 3" in page.content()
    assert ScimGroup.objects.get(name="Group 100").role == "owner"


@pytest.mark.parametrize("width", [390, 1440])
def test_invoices_have_whole_numbers_that_look_like_links_and_all_that_is_to_be_known(
    browse: OpenBrowser, scene: Scene, width: int
) -> None:
    month = date(2025, 9, 1)
    made = {"state": "open", "place": 1, "issue_date": month, "due_date": month + timedelta(days=30)}
    made |= dict.fromkeys(("subtotal", "total", "due"), "12345678.90")
    with transaction.atomic():
        Invoice.objects.get_or_create(payer=scene.world.acme, month=month, number="INV-2025-0119", defaults=made)
    page = browse(scene.world.alice, width=width).open(f"{ORGANIZATION}/billing/")
    row = page.get_by_role("row").filter(has_text="INV-2025-0119")
    number = row.get_by_role("link", name="INV-2025-0119", exact=True)
    box = number.bounding_box()
    assert box is not None
    assert box["height"] <= LINE_HEIGHT
    assert style(number, "color") != style(row, "color")
    for text in ("September 2025", "Oct 1, 2025", "$12,345,678.90", "PDF"):
        assert row.get_by_text(text, exact=True).is_visible()


def test_an_address_that_an_invitation_gives_does_not_look_as_if_it_could_be_changed(
    browse: OpenBrowser, scene: Scene
) -> None:
    alice = scene.world.alice
    with transaction.atomic():
        token = invitations.invite(
            organization=scene.world.acme,
            email="new@acme.test",
            role="reader",
            invited_by=alice,
            now=database_now(),
            actor=Actor(user=alice, name=alice.email),
        )
    page = browse(None).open(f"/invitations/{token}/")
    page.get_by_role("button", name="Create an account").click()
    page.wait_for_load_state("load")
    email, password = page.get_by_label("Email"), page.get_by_label("Password")
    assert email.input_value() == "new@acme.test"
    assert email.get_attribute("readonly") is not None
    assert style(email, "backgroundColor") != style(password, "backgroundColor")
