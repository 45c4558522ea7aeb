"""Only budgets whose costs changed are looked at each minute, and none of those is missed."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.clock import database_now
from accounts.models import Organization
from accounts.periods import month_of
from billing.alerts import Budget, BudgetAlert
from billing.budgets import budgets, checks, looks
from billing.changes.kept import BudgetLook
from billing.prices import payers
from metering import isolation
from metering.models import FailedItem
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.money import ACTOR, change_price, set_price, terms, use
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def today(world: World) -> date:
    set_price("m", "0.01")
    return database_now().date()


def set_budget(organization: Organization, amount: str = "10") -> None:
    budgets.set_budget(organization, amount=Decimal(amount), thresholds=[100], is_hard=False, actor=ACTOR)


def told() -> set[int]:
    return set(BudgetAlert.objects.values_list("organization_id", flat=True))


def test_what_was_rated_and_not_looked_at_is_looked_at_by_the_next_turn(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.acme, today, "m", input_tokens=1_000)
    assert told() == set()
    assert looks.take_all() == 1
    assert told() == {world.acme.pk}
    assert not BudgetLook.objects.exists()


def test_a_rollup_takes_its_look_itself(world: World, today: date) -> None:
    set_budget(world.acme)
    event = make_event(
        api_key_id=make_key(world.rita).public_id, model="m", timestamp=database_now(), input_tokens=5_000
    )
    assert send([event], make_token()) == ["accepted"]
    roll_up()
    assert told() == {world.acme.pk}
    assert not BudgetLook.objects.exists()


def test_nobody_looks_where_nothing_changed(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.acme, today, "m", input_tokens=500)
    looks.take_all()
    Budget.objects.update(amount=1)  # behind the product's back: whoever changes a budget looks at it
    assert looks.take_all() == 0
    use(world.other, today, "m", input_tokens=500)
    assert not BudgetLook.objects.exists()
    assert looks.take_all() == 0


def test_usage_of_a_month_that_is_over_is_no_reason_to_look(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.acme, month_of(today).start - timedelta(days=1), "m", input_tokens=5_000)
    assert not BudgetLook.objects.exists()


def test_thousands_of_organizations_are_one_parameter_of_a_look(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.labs, today, "m", input_tokens=1_000)
    numbers: list[int] = []

    def ask(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
        numbers.append(len(parameters or ()))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(ask):
        assert checks.check([world.labs.pk, *range(1_000_000, 1_005_000)]) == 1
    assert told() == {world.acme.pk}
    assert max(numbers) < 100


def test_a_childs_usage_is_a_reason_to_look_at_its_payers_budget(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.labs, today, "m", input_tokens=1_000)
    looks.take_all()
    assert told() == {world.acme.pk}


def test_a_child_that_comes_with_what_it_used_is_a_reason_to_look(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.other, today, "m", input_tokens=1_000)
    payers.change_payer(organization=world.other, parent=world.acme, actor=ACTOR, now=database_now())
    looks.take_all()
    assert told() == {world.acme.pk}


def test_a_budget_that_is_set_while_usage_is_rated_is_looked_at_after_it(world: World, today: date) -> None:
    """Rating saw no budget, and who set it saw no usage."""
    with connection.cursor() as cursor:
        look = looks.note(cursor, f"(VALUES ({world.acme.pk}, date '{today}')) AS touched (organization_id, day)")
    assert not BudgetLook.objects.exists()
    set_budget(world.acme)
    assert told() == set()
    use(world.acme, today, "m", input_tokens=1_000)
    BudgetLook.objects.all().delete()
    looks.take(look)
    assert told() == {world.acme.pk}


def test_a_budget_that_is_gone_fails_no_more(world: World, today: date) -> None:
    isolation.count_failure("check_budgets", "budget 123456", ValueError("away"))
    looks.take_all()
    assert not FailedItem.objects.exists()


def test_a_dearer_price_is_a_reason_to_look(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.acme, today, "m", input_tokens=600)
    assert looks.take_all() == 0
    change_price(terms("m", "0.02", start=today.isoformat()))
    assert told() == {world.acme.pk}


def test_what_could_not_be_told_is_told_when_its_turn_comes_again(world: World, today: date) -> None:
    set_budget(world.acme)
    use(world.acme, today, "m", input_tokens=1_000)
    BudgetLook.objects.all().delete()
    budget = Budget.objects.get()
    isolation.count_failure("check_budgets", f"budget {budget.pk}", ValueError("away"))
    assert looks.take_all() == 0
    FailedItem.objects.update(next_attempt_at=database_now() - timedelta(seconds=1))
    assert looks.take_all() == 1
