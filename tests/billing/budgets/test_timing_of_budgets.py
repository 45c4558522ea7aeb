"""Budgets of others cost nobody anything: neither a roll-up nor a question about a key takes longer for them."""

import time
from collections.abc import Callable
from statistics import median

import pytest
from django.db import connection, transaction

from accounts.clock import database_now
from accounts.models import Organization
from apikeys.models import APIKey
from billing.alerts import BudgetKind, Scope
from billing.budgets import blocks, looks
from billing.budgets.blocks import Use
from metering.rollups.touched import touch
from tests.billing.budgets.parts import set_budget
from tests.money import set_price, use
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import World

OTHERS = 10_000
TIMES = 15


def middle(do: Callable[[], object]) -> float:
    """Seconds of the middle one of some calls."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        do()
        found.append(time.perf_counter() - began)
    return median(found)


def add_others() -> None:
    """So many organizations with usage of a day, a budget of their own and one of the model, which are far from spent."""
    made = Organization.objects.bulk_create(Organization(name=f"o{n}", slug=f"o{n}") for n in range(OTHERS))
    sku = sku_of("m")
    with connection.cursor() as cursor:
        for kind, target in ((BudgetKind.ORGANIZATION, 0), (BudgetKind.MODEL, sku.model_id)):
            cursor.execute(
                "INSERT INTO billing_budget (organization_id, kind, target_id, value, amount, thresholds, is_hard)"
                " SELECT unnest(%s::bigint[]), %s, %s, '', 1000, '{50,80,100}', true",
                [[found.pk for found in made], kind, target],
            )
        cursor.execute(
            "INSERT INTO billing_dailycost (organization_id, day, sku_id, line_item, quantity, unit_price, amount)"
            " SELECT unnest(%s::bigint[]), %s, %s, 1, 1, 1, 1",
            [[found.pk for found in made], database_now().date(), sku.pk],
        )
        cursor.execute("ANALYZE accounts_organization, billing_budget, billing_dailycost")


@pytest.mark.django_db
def test_budgets_of_others_cost_neither_rollups_nor_questions(world: World, key: APIKey) -> None:
    today = database_now().date()
    set_price("m", "0.01")
    add_usage(world.acme, today, world.rita, key, sku_of("m"), input_tokens=100)
    use(world.acme, today, "m")
    for scope in (Scope(), Scope(BudgetKind.API_KEY, key.pk), Scope(BudgetKind.MODEL, sku_of("m").model_id)):
        set_budget(world.acme, scope, "100")

    def after_rollup() -> None:
        where = "metering_organizationdailyusage WHERE organization_id = %s AND day = %s"
        with transaction.atomic(), connection.cursor() as cursor:
            look = looks.note(cursor, touch(cursor, where, [world.acme.pk, today]).table)
        assert look is not None
        assert look.organization_ids == [world.acme.pk]
        looks.take(look)

    def question(organization: Organization) -> None:
        blocks.forget()
        assert blocks.block_of(Use(organization, key.pk, key.user_id, "m")) is None

    def measured() -> dict[str, float]:
        return {
            "roll-up": middle(after_rollup),
            "with budgets": middle(lambda: question(world.acme)),
            "without": middle(lambda: question(world.other)),
        }

    alone = measured()
    add_others()
    beside = measured()
    for name, seconds in alone.items():
        assert beside[name] < 3 * seconds + 0.002, (name, alone, beside)
