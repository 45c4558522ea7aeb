"""Budgets and alerts from before budgets of parts are those of the whole organization, and stay."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.clock import database_now
from accounts.periods import month_of
from billing.alerts import WHOLE_ORGANIZATION, Budget, BudgetAlert, BudgetKind
from billing.budgets.checks import check
from tests.money import set_price, use
from tests.world import World

BEFORE, AFTER = "0012_prices_by_provider_speed_and_region", "0013_budgets_of_parts"


def migrate(name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return MigrationExecutor(connection).migrate([("billing", name)]).apps


@pytest.mark.django_db
def test_budgets_and_alerts_are_kept_and_told_no_second_time(world: World) -> None:
    set_price("m", "0.01")
    use(world.acme, database_now().date(), "m", input_tokens=700)
    Budget.objects.create(organization=world.acme, kind=BudgetKind.USER, target_id=world.rita.pk, amount=1)
    old = migrate(BEFORE)
    month = month_of(database_now().date()).start
    assert not old.get_model("billing", "Budget").objects.exists()  # the tables before have no place for it
    for organization, amount in ((world.acme, 10), (world.other, 20)):
        old.get_model("billing", "Budget").objects.create(organization_id=organization.pk, amount=amount, is_hard=True)
    old.get_model("billing", "BudgetAlert").objects.create(
        organization_id=world.acme.pk, month=month, threshold=50, spent=5, budget_amount=10
    )
    migrate(AFTER)
    kept = Budget.objects.order_by("organization")
    assert [(row.organization, row.amount, row.is_hard) for row in kept] == [
        (world.acme, Decimal(10), True),
        (world.other, Decimal(20), True),
    ]
    assert {row.scope for row in kept} == {WHOLE_ORGANIZATION}
    assert len({row.pk for row in kept}) == 2
    assert check() == 0
    assert BudgetAlert.objects.get().scope == WHOLE_ORGANIZATION
