"""What usage is for, in a real browser: declare `team`, make a project, give a key both, and take things back."""

from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import Attribute, Project
from apikeys.models import KeyAttribution
from metering.attribution_models import UndeclaredAttribute
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import violations

ACME = "/settings/organization/acme/"


def test_an_admin_declares_team_makes_a_project_and_gives_a_key_both(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.bob).open(f"{ACME}attributes/")
    page.get_by_label("Name", exact=True).fill("team")
    page.get_by_label("Title", exact=True).fill("Team")
    page.get_by_role("button", name="Declare", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("“Team” declared.")

    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Projects").click()
    page.get_by_label("Name", exact=True).fill("Checkout")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Checkout", exact=True)).to_be_visible()

    page.goto(page.url.split("/settings")[0] + f"{ACME}keys/{scene.key.public_id}/")
    page.get_by_role("link", name="Project and attributes").click()
    page.get_by_label("Project", exact=True).select_option("Checkout")
    page.get_by_label("Team", exact=True).fill("search")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Earlier usage is unchanged")
    row = KeyAttribution.objects.get(api_key=scene.key)
    assert (row.project, row.attributes) == (Project.objects.get(name="Checkout"), {"team": "search"})

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Team", exact=True)).to_have_value("")
    expect(page.get_by_role("row")).to_have_count(4)  # the head, the change, the undoing and the beginning


def test_what_hurts_is_asked_about_or_taken_back(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(f"{ACME}projects/")
    page.get_by_label("Name", exact=True).fill("Short-lived")
    page.get_by_role("button", name="Create project").click()
    page.get_by_role("button", name="Archive project").click()
    expect(page.get_by_role("status")).to_contain_text("“Short-lived” archived.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("“Short-lived” restored.")
    assert Project.objects.get(name="Short-lived").archived_at is None

    page.goto(page.url.split("/settings")[0] + f"{ACME}attributes/")
    page.get_by_label("Name", exact=True).fill("feature")
    page.get_by_label("Title", exact=True).fill("Feature")
    page.get_by_role("button", name="Declare", exact=True).click()
    page.get_by_role("link", name="Withdraw Feature…").click()
    page.reload()
    assert Attribute.objects.get(name="feature").withdrawn_at is None
    page.get_by_role("button", name="Withdraw attribute").click()
    expect(page.get_by_role("status")).to_contain_text("“Feature” withdrawn.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1380, 360])
def test_the_pages_are_accessible_and_fit_at_every_width(
    browse: OpenBrowser, scene: Scene, width: int, scheme: Any
) -> None:
    name = f"undeclared_{scheme}_{width}"
    UndeclaredAttribute.objects.create(
        organization_id=scene.world.acme.pk, name=name, num_events=1873, last_seen_at=f"{scene.today} 10:00+00"
    )
    window = browse(scene.world.alice, width=width)
    window.page.emulate_media(color_scheme=scheme)
    for address in ("projects/", "attributes/", f"keys/{scene.key.public_id}/attribution/"):
        page = window.open(f"{ACME}{address}")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    page.goto(window.server + f"{ACME}attributes/")
    page.get_by_role("button", name=f"Declare {name}").focus()
    assert page.evaluate("document.activeElement.textContent").strip() == "Declare"
