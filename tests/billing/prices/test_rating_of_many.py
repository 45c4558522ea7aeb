"""Rating takes as long as there is to rate, however many organizations there are."""

from datetime import date
from time import monotonic

import pytest
from django.db import connection

from billing.models import DailyCost, LineItem
from billing.prices import rating
from metering.measures import MEASURES
from metering.models import OrganizationDailyUsage, Sku
from metering.rollups.touched import Touched, touch
from tests.database.plans import nodes_of
from tests.database.work import counted
from tests.money import set_price
from tests.usage.rollup_rows import sku_of

pytestmark = pytest.mark.django_db

DAY = date(2026, 10, 1)


def used(num_organizations: int, sku: Sku, day: date = DAY) -> Touched:
    """Usage of a day of that many organizations, which is to be rated."""
    usage = {**dict.fromkeys(MEASURES, 0), "input_tokens": 100, "output_tokens": 10}
    OrganizationDailyUsage.objects.bulk_create(
        OrganizationDailyUsage(organization_id=number, day=day, sku_id=sku.id, **usage)
        for number in range(1, num_organizations + 1)
    )
    with connection.cursor() as cursor:
        return touch(cursor, "metering_organizationdailyusage WHERE day = %s", [day])


def rate(touched: Touched) -> float:
    """The seconds that it took."""
    started = monotonic()
    with connection.cursor() as cursor:
        rating.rate(cursor, touched)
    return monotonic() - started


def test_rating_takes_as_long_as_there_are_organizations_and_no_square_of_it() -> None:
    sku = sku_of("m")
    few = rate(used(1_000, sku))
    many = rate(used(8_000, sku, date(2026, 10, 2)))
    assert many < 3 * 8 * few  # the square would be 64 times


def test_a_price_is_looked_up_once_for_all_organizations_that_have_the_same() -> None:
    set_price("m", "0.5")
    touched = used(300, sku_of("m"))
    with counted() as work:
        rate(touched)
    assert DailyCost.objects.filter(line_item=LineItem.INPUT, amount=50).count() == 300
    assert 1 <= work.scans_of("price") <= len(LineItem)


def test_rows_are_neither_sorted_by_their_prices_nor_remembered_by_their_quantities() -> None:
    touched = used(300, sku_of("m"))
    with counted() as work:
        rate(touched)
    [costs] = [plan for plan in work.plans if plan.get("Relation Name") == DailyCost._meta.db_table]
    ways = {node["Node Type"] for node in nodes_of(costs)}
    assert "Hash Join" in ways
    assert not ways & {"Merge Join", "Memoize"}


def test_costs_change_in_place_and_leave_indexes_alone() -> None:
    touched = used(300, sku_of("m"))
    rate(touched)
    OrganizationDailyUsage.objects.update(input_tokens=101, output_tokens=11)
    rate(touched)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'billing_dailycost'"
        )
        changed, changed_in_place = cursor.fetchone()
    assert changed == 600
    assert changed_in_place >= changed / 2
