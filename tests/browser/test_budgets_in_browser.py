"""An owner sets budgets in a browser: a hard one of a key, of which the next verification is refused."""

import json
from decimal import Decimal
from typing import Any, Final

import pytest
from django.test import Client
from playwright.sync_api import expect

from accounts.models import Attribute, Project
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetKind
from billing.budgets import blocks
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import LOOKS, violations
from tests.engine import make_token
from tests.world import LONG_AGO

BUDGETS: Final = "/settings/organization/acme/billing/budgets/"


def ask(token: str, key: APIKey) -> dict[str, Any]:
    blocks.forget()
    headers = {"Authorization": f"Bearer {token}"}
    question = json.dumps({"api_key_id": key.public_id})
    answer: dict[str, Any] = (
        Client().post("/v1/keys/verify", question, content_type="application/json", headers=headers).json()
    )
    return answer


def test_a_budget_that_is_set_for_a_key_is_shown_and_refuses_it(browse: OpenBrowser, scene: Scene) -> None:
    Budget.objects.all().delete()  # the module's tests share their data, and run in any order
    page = browse(scene.world.alice).open(BUDGETS)
    expect(page.get_by_role("heading", name="No budgets yet")).to_be_visible()
    page.get_by_role("link", name="API key", exact=True).click()
    token, key = make_token("budgets"), APIKey.objects.get(name="search-prod")
    assert ask(token, key)["allowed"]
    page.get_by_label("Search by name").fill("search-")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("radio", name="search-prod").check()
    page.get_by_label("Monthly budget in US dollars").fill("0.01")
    page.get_by_label("Block what the budget covers").check()
    page.get_by_role("button", name="Save budget").click()
    expect(page.get_by_text("Budget saved.")).to_be_visible()
    budget = Budget.objects.get()
    assert budget.scope.kind == BudgetKind.API_KEY
    assert budget.amount == Decimal("0.01")
    expect(page.get_by_text("Blocked until next month")).to_be_visible()
    assert ask(token, key)["budget"] == "api_key"


@pytest.mark.parametrize("path", ["", "new/?about=user", "new/?about=attribute", "new/?about=api_key&q=no-such-key"])
def test_axe_finds_nothing_on_the_pages_of_budgets(browse: OpenBrowser, scene: Scene, path: str) -> None:
    acme = scene.world.acme
    model = Project.objects.get_or_create(organization=acme, name="Search")[0]
    Attribute.objects.get_or_create(organization=acme, name="team", defaults={"title": "Team", "declared_at": LONG_AGO})
    for kind, target, value in (
        (1, 0, ""),
        (2, model.pk, ""),
        (4, scene.world.rita.pk, ""),
        (6, 0, "team:" + "w" * 64),
    ):
        Budget.objects.get_or_create(
            organization=acme, kind=kind, target_id=target, value=value, defaults={"amount": kind, "is_hard": kind != 2}
        )
    window = browse(scene.world.alice)
    page = window.open(f"{BUDGETS}{path}")
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], f"{width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
