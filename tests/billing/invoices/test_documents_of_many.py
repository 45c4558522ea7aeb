"""A payer's documents are found by themselves, beside thousands that a month's close wrote and statistics do not know yet."""

from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import Organization
from billing.document_parts import BilledDay
from billing.invoices import billed, invoices
from billing.models import Invoice, InvoiceLine, LineItem
from metering.models import Model
from tests.database.plans import plan_in
from tests.database.work import counted
from tests.money import OCTOBER, model_of, set_price, use
from tests.world import World

pytestmark = pytest.mark.django_db

NUM_OTHERS = 300


def bill(organizations: list[Organization], model: Model) -> None:
    """A draft of October for each, with a line, and a part for every day."""
    drafts = Invoice.objects.bulk_create(Invoice(payer=payer, month=OCTOBER.start) for payer in organizations)
    key = {"model": model, "line_item": LineItem.INPUT, "usage_month": OCTOBER.start, "quantity": 1, "amount": 1}
    InvoiceLine.objects.bulk_create(InvoiceLine(invoice=draft, organization=draft.payer, **key) for draft in drafts)
    BilledDay.objects.bulk_create(
        BilledDay(invoice=draft, organization=draft.payer, day=OCTOBER.start + timedelta(days=day), amount=1)
        for draft in drafts
        for day in range(31)
    )


@pytest.fixture
def draft(world: World) -> Invoice:
    """Acme's of October, beside many others that came after statistics were made."""
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "m", input_tokens=100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE billing_invoice, billing_invoiceline, billing_billedday")
    others = (Organization(name=f"Other {number}", slug=f"other-{number}") for number in range(NUM_OTHERS))
    bill(Organization.objects.bulk_create(others), model_of("m"))
    made = invoices.draft(world.acme, OCTOBER)
    assert made is not None
    return made


def test_lines_are_written_without_reading_those_of_others(draft: Invoice) -> None:
    InvoiceLine.objects.filter(invoice=draft).delete()
    BilledDay.objects.filter(invoice=draft).delete()
    with counted() as work:
        billed.write_lines(draft, OCTOBER)
    assert draft.lines.count() == draft.billed_days.count() == 1
    assert work.num_pages < NUM_OTHERS


def test_the_days_that_documents_charge_are_read_without_those_of_others(draft: Invoice) -> None:
    parameters = {"payer": draft.payer_id, "draft": draft.pk, "last_place": None}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {billed.CHARGED_DAYS_SQL}", parameters)
        plan = plan_in(cursor.fetchone()[0])
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < NUM_OTHERS / 3
