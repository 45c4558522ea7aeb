"""The Invoice Detail and Billing Period files: what stands on documents, and which months are closed."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.periods import Period
from billing.models import Invoice, MonthClose
from tests.exports.focus import story
from tests.money import at
from tests.usage.focus_files import YEAR, cost_file, invoice_file, period_file, total
from tests.world import World

pytestmark = pytest.mark.django_db


def test_details_of_each_document_sum_to_it_and_to_the_cost_file(world: World) -> None:
    story.happen(world)
    details, charges = invoice_file(world.acme), cost_file(world.acme)
    documents = Invoice.objects.exclude(state="draft")
    assert documents.count() == 4
    for document in documents:
        assert total(details, InvoiceId=str(document.number)) == document.total
    for detail in details:
        same = {name: detail[name] for name in ("InvoiceId", "InvoiceDetailId")}
        assert total(charges, **same) == Decimal(detail["BilledCost"])


def test_a_credit_note_refers_to_its_invoice_which_is_voided(world: World) -> None:
    story.happen(world)
    found = {
        (row["InvoiceId"], row["InvoiceIssueStatus"], row["ReferenceInvoiceId"], row["x_DocumentKind"])
        for row in invoice_file(world.acme)
    }
    assert found == {
        ("INV-2026-0001", "Issued", "", "Invoice"),
        ("INV-2026-0002", "Voided", "", "Invoice"),
        ("CN-2026-0001", "Issued", "INV-2026-0002", "Credit note"),
        ("INV-2026-0003", "Issued", "", "Invoice"),
    }


def test_a_detail_says_its_grain_and_when_it_is_to_be_paid(world: World) -> None:
    story.happen(world)
    late = [row for row in invoice_file(world.acme) if row["x_UsageMonthStart"] < row["BillingPeriodStart"]]
    (row,) = [row for row in late if row["InvoiceId"] == "INV-2026-0003" and row["ChargeCategory"] == "Usage"]
    assert row["InvoiceDetailDescription"] == "atlas, input"
    assert row["InvoiceDetailGrain"] == (
        f'{{"SkuId": "atlas/input", "SubAccountId": "{world.acme.public_id}", "x_UsageMonth": "2026-10"}}'
    )
    assert (row["InvoiceIssueDate"], row["PaymentTerms"]) == ("2026-12-06T00:00:00Z", "Net 30")
    assert row["PaymentDueDate"] == "2027-01-05T00:00:00Z"


def test_a_month_is_closed_when_all_its_invoices_are_issued(world: World) -> None:
    story.happen(world)
    found = {row["BillingPeriodStart"][:7]: row["BillingPeriodStatus"] for row in period_file(world.acme)}
    assert (found["2026-10"], found["2026-11"], found["2026-12"]) == ("Closed", "Closed", "Open")


def test_a_month_whose_invoice_is_held_is_open(world: World) -> None:
    story.happen(world)
    Invoice.objects.create(payer=world.acme, month=date(2026, 9, 1))
    MonthClose.objects.create(month=date(2026, 9, 1), finalized_at=at("2026-10-04"))
    found = {row["BillingPeriodStart"][:7]: row["BillingPeriodStatus"] for row in period_file(world.acme)}
    assert found["2026-09"] == "Open"
    Invoice.objects.filter(month=date(2026, 9, 1)).delete()
    found = {row["BillingPeriodStart"][:7]: row["BillingPeriodStatus"] for row in period_file(world.acme)}
    assert found["2026-09"] == "Closed"


def test_a_month_that_has_not_begun_is_no_period(world: World) -> None:
    assert [row["BillingPeriodStart"] for row in period_file(world.acme, Period(date(2027, 1, 2), YEAR.end))] == [
        "2027-02-01T00:00:00Z"
    ]


def test_others_have_nothing_of_it(world: World) -> None:
    story.happen(world)
    assert invoice_file(world.other) == invoice_file(world.labs) == cost_file(world.other) == []
