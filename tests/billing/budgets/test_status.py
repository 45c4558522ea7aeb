"""How far a budget is spent: one percentage for both pages and for the alerts."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.clock import database_now
from accounts.models import User
from billing.alerts import BudgetAlert
from billing.budgets import budgets
from billing.budgets.checks import check
from billing.budgets.status import BudgetStatus
from tests.money import ACTOR, set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
PAGES = ("/settings/organization/acme/usage/cost/", "/settings/organization/acme/billing/")
CENTS = st.decimals(min_value="0.01", max_value="1000000", places=2)
COSTS = st.decimals(min_value="-1000", max_value="5000000", places=12)


def status(spent: str, budget: str) -> BudgetStatus:
    return BudgetStatus(Decimal(spent), Decimal(budget))


@pytest.mark.parametrize(
    ("spent", "budget", "share"),
    [
        ("0", "10", "0%"),
        ("9.999999999999", "10", "99%"),
        ("10", "10", "100%"),
        ("0.01", "3", "0%"),
        ("123.45", "10", "1,234%"),
        ("-0.001", "10", "−1%"),
    ],
)
def test_the_percentage_is_rounded_down(spent: str, budget: str, share: str) -> None:
    assert status(spent, budget).share == share


def test_all_is_spent_at_the_very_budget_and_not_before() -> None:
    assert status("10", "10").is_spent
    assert not status("9.999999999999", "10").is_spent


def test_a_bar_stays_within_its_ground() -> None:
    assert [status(spent, "10").bar for spent in ("-5", "0", "4.29", "10", "900")] == [0, 0, 42, 100, 100]


def test_what_is_spent_already_is_no_longer_expected_to_be_exceeded() -> None:
    assert status("9", "10").is_expected_over(Decimal("10.01"))
    assert not status("9", "10").is_expected_over(Decimal(10))
    assert not status("10", "10").is_expected_over(Decimal(12))


@given(spent=COSTS, budget=CENTS, threshold=st.integers(1, 1000))
def test_a_threshold_is_reached_where_the_percentage_says_so(spent: Decimal, budget: Decimal, threshold: int) -> None:
    found = BudgetStatus(spent, budget)
    assert found.has_reached(threshold) == (found.percent >= threshold)


def test_both_pages_and_the_alerts_say_the_same(world: World, client_of: SignIn) -> None:
    thresholds = [49, 50, 79, 80, 99, 100, 101]
    set_price("m", "0.001")
    budgets.set_budget(world.acme, amount=Decimal(10), thresholds=thresholds, is_hard=False, actor=ACTOR)
    client = client_of(world.alice)
    for tokens, percent in ((4996, 49), (4, 50), (2999, 79), (1996, 99), (5, 100), (99, 100)):
        use(world.acme, database_now().date(), "m", input_tokens=tokens)
        check()
        cost, billing = (re.sub(r"\s+", " ", client.get(page).content.decode()) for page in PAGES)
        assert f"{percent}% <span" in cost
        assert f"({percent}%)" in billing
        assert f'<rect width="{percent}%" height="4" rx="2" class="top-bar-fill"' in cost
        told = set(BudgetAlert.objects.values_list("threshold", flat=True))
        assert told == {threshold for threshold in thresholds if threshold <= percent}
