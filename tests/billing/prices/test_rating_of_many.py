"""Rating takes as long as there is to rate, however many organizations there are."""

from datetime import date
from time import monotonic

import pytest
from django.db import connection

from billing.prices import rating
from metering.measures import MEASURES
from metering.models import OrganizationDailyUsage, Sku
from metering.rollups.touched import touch
from tests.rollup_rows import sku_of

pytestmark = pytest.mark.django_db


def rate_organizations(num_organizations: int, sku: Sku, day: date) -> float:
    """The seconds in which that many organizations' usage of a day is rated."""
    usage = {**dict.fromkeys(MEASURES, 0), "input_tokens": 100, "output_tokens": 10}
    OrganizationDailyUsage.objects.bulk_create(
        OrganizationDailyUsage(organization_id=number, day=day, sku_id=sku.id, **usage)
        for number in range(1, num_organizations + 1)
    )
    with connection.cursor() as cursor:
        touched = touch(cursor, "metering_organizationdailyusage WHERE day = %s", [day])
        started = monotonic()
        rating.rate(cursor, touched)
    return monotonic() - started


def test_rating_takes_as_long_as_there_are_organizations_and_no_square_of_it() -> None:
    sku = sku_of("m")
    few = rate_organizations(1_000, sku, date(2026, 10, 1))
    many = rate_organizations(8_000, sku, date(2026, 10, 2))
    assert many < 3 * 8 * few  # the square would be 64 times
