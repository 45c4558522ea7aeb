"""Over any history of usage, prices, credit, corrections and payers: the rows of each invoice sum to it, to the cent."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from accounts.periods import Period, next_month
from billing.models import CreditGrant, DailyCost, Invoice, InvoiceLine
from billing.money import to_cents
from billing.payer_history import OWNED_SQL
from metering.models import Sku
from tests.money import DECEMBER, NOVEMBER, OCTOBER
from tests.usage.focus_files import YEAR, Row, cost_file, give_to_people, total
from tests.usage.histories import Step, begin, close_all, histories, live
from tests.world import World

pytestmark = pytest.mark.django_db


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, tax_rate=st.sampled_from(["0", "0.19", "0.077"]))
def test_the_rows_of_each_invoice_sum_to_it(world: World, history: tuple[list[Step], ...], tax_rate: str) -> None:
    with transaction.atomic():
        organizations = begin(world, tax_rate)
        for month, happenings in zip((OCTOBER, NOVEMBER, DECEMBER), history, strict=True):
            live(month, happenings, organizations)
            _check(world)
        close_all(next_month(DECEMBER))
        for payer, rows in _check(world).items():
            _check_ranges(payer, rows)
        transaction.set_rollback(True)


def _check(world: World) -> dict[Organization, list[Row]]:
    give_to_people(world.alice, world.rita)
    files = {payer: cost_file(payer) for payer in Organization.objects.all()}
    for payer, rows in files.items():
        invoices = Invoice.objects.filter(payer=payer).exclude(state="draft")
        assert {row["InvoiceId"] for row in rows} - {""} <= {invoice.number for invoice in invoices}
        for invoice in invoices:
            assert total(rows, InvoiceId=str(invoice.number)) == invoice.total
            _check_parts(rows, invoice)
        _check_usage(payer, rows)
    _check_all([row for rows in files.values() for row in rows])
    return files


def _check_parts(rows: list[Row], invoice: Invoice) -> None:
    """Each line, its credit and its tax have their own rows."""
    of_invoice = [row for row in rows if row["InvoiceId"] == invoice.number]
    for line in invoice.lines.all():
        assert total(of_invoice, InvoiceDetailId=f"L{line.pk}") == line.amount
    assert total(of_invoice, ChargeCategory="Credit") == -invoice.credits
    assert total(of_invoice, ChargeCategory="Tax") == invoice.tax


def _check_usage(payer: Organization, rows: list[Row]) -> None:
    """The usage rows are all that the payer pays for, each once, with every digit."""
    with connection.cursor() as cursor:
        cursor.execute(OWNED_SQL, {"payer": payer.pk, "first": YEAR.start, "end": YEAR.end})
        owned = cursor.fetchall()
    costs = [
        cost
        for organization_id, first, end in owned
        for cost in DailyCost.objects.filter(organization_id=organization_id, day__gte=first, day__lt=end)
    ]
    priced = [cost for cost in costs if cost.amount is not None]
    assert total(rows, ChargeCategory="Usage") == sum((cost.amount or 0 for cost in priced), start=Decimal(0))
    assert total(rows, "ConsumedQuantity") == sum((cost.quantity for cost in priced), start=Decimal(0))


def _check_ranges(payer: Organization, rows: list[Row]) -> None:
    """Files of adjoining ranges have every row once."""
    middle = OCTOBER.start.replace(day=17)
    halves = cost_file(payer, Period(YEAR.start, middle)) + cost_file(payer, Period(middle, YEAR.end))
    assert sorted(map(str, halves)) == sorted(map(str, rows))


def _check_all(rows: list[Row]) -> None:
    """Usage and adjustments of all files are the exact costs, each key rounded once as soon as its own invoice has it."""
    charged = [row for row in rows if row["ChargeCategory"] in {"Usage", "Adjustment"}]
    assert total(charged) == _costs_as_invoiced()
    grants = CreditGrant.objects.filter(category="paid")
    assert total(rows, ChargeCategory="Purchase") == sum((grant.amount for grant in grants), start=Decimal(0))


def _costs_as_invoiced() -> Decimal:
    keys: dict[tuple[object, ...], Decimal] = {}
    models = dict(Sku.objects.values_list("pk", "model_id"))
    for cost in DailyCost.objects.filter(amount__isnull=False):
        key = (cost.organization_id, models[cost.sku_id], cost.line_item, cost.day.replace(day=1))
        keys[key] = keys.get(key, Decimal(0)) + (cost.amount or 0)
    standing = InvoiceLine.objects.filter(invoice__kind="invoice", invoice__state__in=["open", "paid"])
    own = standing.filter(usage_month=F("invoice__month"))
    invoiced = set(own.values_list("organization_id", "model_id", "line_item", "usage_month"))
    return sum((to_cents(cost) if key in invoiced else cost for key, cost in keys.items()), start=Decimal(0))
