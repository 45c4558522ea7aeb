"""The memory that a FOCUS file takes does not grow with its rows, in either format."""

from datetime import date
from decimal import Decimal

import psutil
import pytest
from django.db import connection

from accounts.models import Membership, User
from accounts.periods import Period
from billing.models import DailyCost, LineItem
from exports.focus.datasets import COST_AND_USAGE, formats, pieces
from metering.measures import MEASURES
from metering.models import OrganizationDailyUsage
from tests.usage.focus_files import scope_of
from tests.usage.rollup_rows import sku_of
from tests.world import LONG_AGO, World

pytestmark = pytest.mark.django_db
NUM_PEOPLE = 300
DAYS = Period(date(2026, 1, 1), date(2026, 4, 1))
MOST_GROWTH = 1.1
USAGE_SQL = f"""
INSERT INTO metering_dailyusage (organization_id, day, user_id, api_key_id, sku_id, {", ".join(MEASURES)})
SELECT %(organization)s, day, person.id, 0, %(sku)s, {", ".join("1000" if name == "input_tokens" else "0" for name in MEASURES)}
FROM accounts_user AS person
CROSS JOIN generate_series(%(start)s::date, %(end)s::date - 1, interval '1 day') AS day
WHERE person.email LIKE 'many-%%'
"""


@pytest.fixture
def num_rows(world: World) -> int:
    """Usage of many people on each of many days."""
    people = User.objects.bulk_create(
        User(email=f"many-{number}@acme.test", name=f"Person {number}", default_organization=world.acme)
        for number in range(NUM_PEOPLE)
    )
    Membership.objects.bulk_create(
        Membership(user=person, organization=world.acme, role=Membership.Role.READER, joined_at=LONG_AGO)
        for person in people
    )
    sku = sku_of("atlas")
    with connection.cursor() as cursor:
        cursor.execute(USAGE_SQL, {"organization": world.acme.pk, "sku": sku.pk, "start": DAYS.start, "end": DAYS.end})
        number: int = cursor.rowcount
    quantity, price = Decimal(1000 * NUM_PEOPLE), Decimal("0.0000025")
    where = {"organization_id": world.acme.pk, "sku_id": sku.pk}
    OrganizationDailyUsage.objects.bulk_create(
        OrganizationDailyUsage(**where, day=day, **{**dict.fromkeys(MEASURES, Decimal(0)), "input_tokens": quantity})
        for day in DAYS.days()
    )
    DailyCost.objects.bulk_create(
        DailyCost(
            **where, day=day, line_item=LineItem.INPUT, quantity=quantity, unit_price=price, amount=quantity * price
        )
        for day in DAYS.days()
    )
    return number


@pytest.mark.parametrize("format_word", list(formats()))
def test_the_second_half_of_a_file_takes_no_more_than_the_first(world: World, num_rows: int, format_word: str) -> None:
    process = psutil.Process()
    found = pieces(COST_AND_USAGE, scope_of(world.acme, DAYS), format_word)
    sizes = [process.memory_info().rss for _ in found]
    assert num_rows == NUM_PEOPLE * DAYS.num_days
    assert len(sizes) >= 3
    assert max(sizes[len(sizes) // 2 :]) <= MOST_GROWTH * max(sizes[: len(sizes) // 2])
