"""FOCUS files as tests read them, and usage of people and keys that makes them."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Final

from django.db import connection

from accounts.models import Organization, User
from accounts.periods import Period, midnight
from apikeys.models import APIKey
from exports.focus.datasets import COST_AND_USAGE, CSV_FORMAT, DATASETS, Dataset, pieces
from exports.focus.scope import Scope
from metering.measures import MEASURES
from metering.models import DailyUsage
from tests.money import rate
from tests.usage.rollup_rows import add_usage, sku_of

Row = dict[str, str]
COMPLETE_THROUGH: Final = midnight(date(2027, 2, 1))
YEAR: Final = Period(date(2026, 8, 1), date(2027, 3, 1))
"""All of the days that tests use."""


def scope_of(payer: Organization, period: Period = YEAR, *, seen: tuple[Organization, ...] | None = None) -> Scope:
    """The charges of the payer, with the names of all its organizations or of these."""
    named = seen if seen is not None else (payer, *payer.children.all())
    return Scope(payer, period, tuple(organization.pk for organization in named), COMPLETE_THROUGH)


def read_csv(text: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def cost_file(payer: Organization, period: Period = YEAR, *, seen: tuple[Organization, ...] | None = None) -> list[Row]:
    """The rows of the cost and usage file."""
    return _rows(COST_AND_USAGE, scope_of(payer, period, seen=seen))


def invoice_file(payer: Organization, period: Period = YEAR) -> list[Row]:
    """The rows of the Invoice Detail file."""
    return _rows(DATASETS[1], scope_of(payer, period))


def period_file(payer: Organization, period: Period = YEAR) -> list[Row]:
    """The rows of the Billing Period file."""
    return _rows(DATASETS[2], scope_of(payer, period))


def _rows(dataset: Dataset, scope: Scope) -> list[Row]:
    return read_csv("".join(piece for piece in pieces(dataset, scope, CSV_FORMAT) if isinstance(piece, str)))


def total(rows: list[Row], column: str = "BilledCost", **having: str) -> Decimal:
    """The sum of a column over the rows with these values."""
    found = [row for row in rows if all(row[name] == value for name, value in having.items())]
    return sum((Decimal(row[column]) for row in found if row[column]), start=Decimal(0))


def use_by(user: User, key: APIKey | None, organization: Organization, day: date, model: str, **measures: int) -> None:
    """A day's usage of a person and key, rated at once."""
    add_usage(organization, day, user, key, sku_of(model), **measures)
    rate(organization, day)


def give_to_people(first: User, second: User) -> None:
    """Makes all usage of organizations usage of two people, of whom one has a correction."""
    DailyUsage.objects.all().delete()
    sums = ", ".join(MEASURES)
    more = ", ".join("input_tokens + 7" if name == "input_tokens" else name for name in MEASURES)
    less = ", ".join("-7" if name == "input_tokens" else "0" for name in MEASURES)
    with connection.cursor() as cursor:
        for user, measures in ((first, more), (second, less)):
            cursor.execute(
                f"INSERT INTO metering_dailyusage (organization_id, day, user_id, api_key_id, sku_id, {sums})"
                f" SELECT organization_id, day, %s, 0, sku_id, {measures} FROM metering_organizationdailyusage",
                [user.pk],
            )
