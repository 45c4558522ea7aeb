"""Invoices: what is on them, their numbers, and that nothing changes them."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import InternalError, connection, transaction

from accounts.models import AuditEvent
from accounts.periods import month_of
from billing.invoices import closing, grants, invoices
from billing.invoices.closing import MonthNotOverError
from billing.invoices.grants import GrantTerms
from billing.invoices.invoices import InvoiceRefusedError
from billing.models import BillingDetails, CreditGrant, Invoice, InvoiceLine, MonthClose
from billing.prices import payers
from tests.money import (
    ACTOR,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    at,
    change_price,
    close,
    rounded_costs,
    set_price,
    terms,
    total_of,
    use,
)
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _prices(world: World) -> None:
    set_price("tiny", "0.000000005")
    set_price("big", "0.01")


def give(world: World, amount: str, start: str, end: str | None = None) -> CreditGrant:
    asked = GrantTerms(
        name="Welcome",
        amount=Decimal(amount),
        category="promotional",
        effective_at=at(start),
        expires_at=at(end) if end else None,
    )
    return grants.give(world.acme, asked, actor=ACTOR)


def test_a_line_is_rounded_once_half_even(world: World) -> None:
    use(world.other, "2026-10-02", "tiny", input_tokens=1_000_000)
    use(world.other, "2026-10-03", "tiny", input_tokens=2_000_000)
    [invoice] = close(OCTOBER)
    assert [(line.quantity, line.amount) for line in invoice.lines.all()] == [(Decimal(3_000_000), Decimal("0.02"))]
    assert invoice.total == Decimal("0.02")


def test_half_a_cent_goes_to_the_even_cent(world: World) -> None:
    use(world.other, "2026-10-02", "tiny", input_tokens=5_000_000)
    [invoice] = close(OCTOBER)
    assert invoice.total == Decimal("0.02")
    use(world.acme, "2026-10-02", "tiny", input_tokens=7_000_000)
    assert {found.total for found in close(OCTOBER)} == {Decimal("0.04")}


def test_a_month_is_a_draft_in_its_days_of_grace_and_takes_late_usage(world: World) -> None:
    use(world.other, "2026-10-02", "big", input_tokens=100)
    [draft] = close(OCTOBER, days_after=2)
    assert (draft.state, draft.number, draft.total) == ("draft", None, Decimal(1))
    use(world.other, "2026-10-31", "big", input_tokens=50)
    [final] = close(OCTOBER, days_after=3)
    assert (final.pk, final.state, final.number, final.total) == (draft.pk, "open", "INV-2026-0001", Decimal("1.50"))
    assert (final.issue_date, final.due_date) == (date(2026, 11, 4), date(2026, 12, 4))


def test_a_month_that_is_not_over_is_refused(world: World) -> None:
    with pytest.raises(MonthNotOverError):
        list(closing.close_month(OCTOBER, now=at("2026-10-31")))


def test_a_month_without_usage_makes_no_invoice_and_no_number(world: World) -> None:
    assert close(OCTOBER) == []
    use(world.other, "2026-11-02", "big", input_tokens=1)
    assert [invoice.number for invoice in close(NOVEMBER)] == ["INV-2026-0001"]


def test_usage_that_comes_late_is_a_line_of_the_next_invoice(world: World) -> None:
    use(world.other, "2026-10-02", "big", input_tokens=100)
    close(OCTOBER)
    use(world.other, "2026-10-02", "big", input_tokens=7)
    assert close(OCTOBER) == []
    [november] = close(NOVEMBER)
    [line] = november.lines.all()
    assert (line.usage_month, line.quantity, line.amount) == (date(2026, 10, 1), Decimal(7), Decimal("0.07"))
    assert total_of("subtotal") == rounded_costs()


def test_a_late_price_makes_a_line_of_the_next_invoice(world: World) -> None:
    use(world.other, "2026-10-02", "unpriced", input_tokens=100)
    assert close(OCTOBER) == []
    assert change_price(terms("unpriced", "0.5", start="2026-01-01")) == 1
    assert [invoice.total for invoice in close(NOVEMBER)] == [Decimal(50)]


def test_the_parent_pays_with_lines_for_each_organization(world: World) -> None:
    for organization in (world.acme, world.labs, world.japan):
        use(organization, "2026-10-02", "big", input_tokens=100)
    [invoice] = close(OCTOBER)
    assert invoice.payer == world.acme
    assert {line.organization for line in invoice.lines.all()} == {world.acme, world.labs, world.japan}
    assert invoice.total == 3


def test_who_pays_at_the_end_of_the_month_pays_all_of_it_and_what_comes_late(world: World) -> None:
    use(world.labs, "2026-10-02", "big", input_tokens=100)
    payers.change_payer(organization=world.labs, parent=None, actor=ACTOR, now=at("2026-11-01"))
    use(world.labs, "2026-10-30", "big", input_tokens=1)
    [october] = close(OCTOBER)
    assert (october.payer, october.total) == (world.acme, Decimal("1.01"))
    use(world.labs, "2026-10-31", "big", input_tokens=2)
    use(world.labs, "2026-11-02", "big", input_tokens=300)
    assert {(found.payer.name, found.total) for found in close(NOVEMBER)} == {
        ("Acme", Decimal("0.02")),
        ("Acme Labs", Decimal(3)),
    }


def test_credit_pays_the_days_of_its_life_and_children(world: World) -> None:
    give(world, "1.50", "2026-10-01", "2026-10-10")
    use(world.labs, "2026-10-02", "big", input_tokens=100)
    use(world.acme, "2026-10-09", "big", input_tokens=20)
    use(world.acme, "2026-10-10", "big", input_tokens=500)
    [invoice] = close(OCTOBER)
    assert (invoice.subtotal, invoice.credits, invoice.total) == (Decimal("6.20"), Decimal("1.20"), Decimal(5))


def test_a_grant_larger_than_all_costs_leaves_nothing_due_to_the_cent(world: World) -> None:
    grant = give(world, "1000", "2026-01-01")
    for number in range(30):
        use(world.acme, "2026-10-02", f"model {number}", input_tokens=3)
        change_price(terms(f"model {number}", "0.002345678901", start="2026-01-01"))
    [invoice] = close(OCTOBER)
    assert invoice.subtotal == invoice.credits == Decimal("0.30")
    assert (invoice.total, invoice.state) == (Decimal(0), "paid")
    assert [(found.grant, found.used) for found in grants.balances(world.acme, date(2026, 10, 31))] == [
        (grant, Decimal("0.30"))
    ]


def test_balances_at_past_month_ends(world: World) -> None:
    give(world, "3", "2026-10-01", "2026-11-20")
    use(world.acme, "2026-10-31", "big", input_tokens=100)
    use(world.acme, "2026-11-01", "big", input_tokens=50)
    remaining = [
        [found.remaining for found in grants.balances(world.acme, day)]
        for day in (date(2026, 9, 30), date(2026, 10, 31), date(2026, 11, 18), date(2026, 11, 19))
    ]
    assert remaining == [[], [Decimal(2)], [Decimal("1.5")], [Decimal(0)]]


def test_tax_is_on_what_is_left_after_credit(world: World) -> None:
    BillingDetails.objects.create(
        organization=world.acme, legal_name="Acme GmbH", address="1 Road", tax_id="DE1", tax_name="VAT", tax_rate="0.19"
    )
    give(world, "1", "2026-10-01")
    use(world.acme, "2026-10-02", "big", input_tokens=150)
    [invoice] = close(OCTOBER)
    assert (invoice.tax_name, invoice.tax, invoice.total) == ("VAT", Decimal("0.10"), Decimal("0.60"))
    assert invoice.buyer == {"name": "Acme GmbH", "address": "1 Road", "tax_id": "DE1"}


def test_a_voided_invoice_is_taken_back_by_a_credit_note_and_billed_again(world: World) -> None:
    give(world, "0.25", "2026-10-01")
    use(world.acme, "2026-10-02", "big", input_tokens=100)
    [invoice] = close(OCTOBER)
    note = invoices.void(invoice, actor=ACTOR, now=at("2026-11-10"))
    assert (note.number, note.total, note.corrects) == ("CN-2026-0001", Decimal("-0.75"), invoice)
    assert total_of("total") == 0
    again = closing.close_payer(world.acme, OCTOBER, now=at("2026-11-11"))
    assert again is not None
    assert (again.number, again.total, again.credits) == ("INV-2026-0002", Decimal("0.75"), Decimal("0.25"))
    assert AuditEvent.objects.filter(event="invoice.voided", target_name="INV-2026-0001").exists()


def test_what_a_voided_invoice_charged_comes_with_the_next_month(world: World) -> None:
    use(world.acme, "2026-10-02", "big", input_tokens=100)
    [invoice] = close(OCTOBER)
    invoices.void(invoice, actor=ACTOR, now=at("2026-11-10"))
    assert close(OCTOBER) == []
    assert [found.total for found in close(NOVEMBER)] == [Decimal(1)]


def test_states_go_forward_only(world: World) -> None:
    use(world.acme, "2026-10-02", "big", input_tokens=100)
    [invoice] = close(OCTOBER)
    invoices.mark_paid(invoice, actor=ACTOR, now=at("2026-11-10"))
    invoices.mark_paid(invoice, actor=ACTOR, now=at("2026-11-11"))
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == ("paid", at("2026-11-10"))
    note = invoices.void(invoice, actor=ACTOR, now=at("2026-11-12"))
    for document in (invoice, note):
        with pytest.raises(InvoiceRefusedError):
            invoices.void(document, actor=ACTOR, now=at("2026-11-13"))
        with pytest.raises(InvoiceRefusedError):
            invoices.mark_paid(document, actor=ACTOR, now=at("2026-11-13"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_invoice SET total = 1, subtotal = 1",
        "UPDATE billing_invoice SET state = 'draft', number = NULL, issue_date = NULL, due_date = NULL",
        "UPDATE billing_invoice SET state = 'paid', due_date = '2030-01-01'",
        "UPDATE billing_invoice SET buyer = '{}'",
        "DELETE FROM billing_invoice",
        "UPDATE billing_invoiceline SET amount = amount + 1",
        "DELETE FROM billing_invoiceline",
        "INSERT INTO billing_invoiceline SELECT * FROM billing_invoiceline",
        "UPDATE billing_creditapplication SET amount = 2",
        "DELETE FROM billing_creditapplication",
    ],
)
def test_the_database_refuses_to_change_a_final_invoice(world: World, statement: str) -> None:
    give(world, "0.25", "2026-10-01")
    use(world.acme, "2026-10-02", "big", input_tokens=100)
    close(OCTOBER)
    with (
        pytest.raises(InternalError, match="INV-2026-0001 is final"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_closing_twice_changes_nothing(world: World) -> None:
    use(world.acme, "2026-10-02", "big", input_tokens=100)
    close(OCTOBER)
    before = (list(Invoice.objects.values()), list(InvoiceLine.objects.order_by("pk").values()))
    close(OCTOBER)
    closing.close_payer(world.acme, OCTOBER, now=at("2026-11-20"))
    assert (list(Invoice.objects.values()), list(InvoiceLine.objects.order_by("pk").values())) == before


def test_a_closing_that_was_cut_off_goes_on_with_the_payers_that_are_left(world: World) -> None:
    for organization in (world.acme, world.other):
        use(organization, "2026-10-02", "big", input_tokens=100)
    cut_off = closing.close_month(OCTOBER, now=at("2026-11-10"))
    assert next(cut_off).num_payers == 2
    cut_off.close()
    assert MonthClose.objects.get().finalized_at is None
    closing.close_ended_months(at("2026-11-10"))
    assert list(Invoice.objects.order_by("number").values_list("number", flat=True)) == [
        "INV-2026-0001",
        "INV-2026-0002",
    ]
    assert MonthClose.objects.get().finalized_at is not None


def test_every_month_since_the_first_cost_is_closed_once(world: World) -> None:
    for day in ("2026-09-30", "2026-10-02", "2026-11-02", "2026-12-02"):
        use(world.acme, day, "big", input_tokens=100)
    closing.close_ended_months(at("2026-12-02"))
    states = dict(Invoice.objects.values_list("month", "state"))
    assert states == {date(2026, 9, 1): "open", date(2026, 10, 1): "open", date(2026, 11, 1): "draft"}
    assert month_of(date(2026, 12, 1)) == DECEMBER
