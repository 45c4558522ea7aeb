"""An invoice as it is read: states, percentages, and what the balance does, in the words of people."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.invoices.documents import HELD, Document, document_of, percent, state_of
from billing.models import Invoice, LineItem
from tests.money import OCTOBER, close, set_price, use
from tests.world import World

NOTE, INVOICE = Invoice.Kind.CREDIT_NOTE, Invoice.Kind.INVOICE
State = Invoice.State


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        ("0", "0%"),
        ("0.19", "19%"),
        ("0.2", "20%"),
        ("0.20000", "20%"),
        ("0.0775", "7.75%"),
        ("1", "100%"),
        ("1.0", "100%"),
    ],
)
def test_a_tax_rate_has_no_needless_zeros_and_keeps_the_others(fraction: str, text: str) -> None:
    assert percent(Decimal(fraction)) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": INVOICE, "state": State.DRAFT}, "Draft"),
        ({"kind": INVOICE, "state": State.OPEN}, "Open"),
        ({"kind": INVOICE, "state": State.PAID}, "Paid"),
        ({"kind": INVOICE, "state": State.VOID}, "Void"),
        ({"kind": NOTE, "state": State.OPEN}, "Issued"),
        ({"kind": NOTE, "state": State.DRAFT}, "Draft"),
        ({"kind": INVOICE, "state": State.DRAFT, "held_at": datetime(2026, 11, 3, tzinfo=UTC)}, HELD),
    ],
)
def test_a_state_is_called_as_people_call_it(fields: dict[str, Any], text: str) -> None:
    assert state_of(Invoice(**fields)) == text


@pytest.fixture
def invoice(world: World) -> Invoice:
    """October of Acme and two children, with two models and line items."""
    set_price("b-model", "0.01")
    set_price("a-model", "0.02")
    set_price("a-model", "0.05", line_item=LineItem.OUTPUT)
    use(world.labs, "2026-10-02", "b-model", input_tokens=100)
    use(world.japan, "2026-10-02", "a-model", input_tokens=50, output_tokens=1200)
    use(world.acme, "2026-10-31", "b-model", input_tokens=3)
    [found] = close(OCTOBER)
    return found


def after(invoice: Invoice, **fields: Any) -> Document:
    """The document after its invoice's fields have changed."""
    for name, value in fields.items():
        setattr(invoice, name, value)
    return document_of(invoice)


def test_the_payers_own_lines_come_first_and_then_its_childrens_by_name(invoice: Invoice) -> None:
    document = document_of(invoice)
    assert [section.organization for section in document.sections] == ["Acme", "Acme Japan", "Acme Labs"]
    [_, japan, _] = document.sections
    assert [(line.model, line.line_item, line.quantity, line.amount) for line in japan.lines] == [
        ("a-model", LineItem.INPUT.label, "50 tokens", "$1.00"),
        ("a-model", LineItem.OUTPUT.label, "1,200 tokens", "$60.00"),
    ]
    assert [section.subtotal for section in document.sections] == ["$0.03", "$61.00", "$1.00"]
    assert document.subtotal == "$62.03"
    assert document.is_consolidated


def test_a_document_names_its_whole_month_in_utc(invoice: Invoice) -> None:
    assert document_of(invoice).period == "Oct 1, 2026 to Oct 31, 2026 (UTC)"


def test_a_line_of_another_month_than_the_invoices_says_which(invoice: Invoice) -> None:
    own, later = document_of(invoice), after(invoice, month=date(2026, 11, 1))
    assert {line.late for section in own.sections for line in section.lines} == {""}
    assert {line.late for section in later.sections for line in section.lines} == {"October 2026"}


@pytest.mark.parametrize(
    ("total", "change", "row", "is_to_pay"),
    [
        ("62.03", "0", None, False),
        ("62.03", "-2.03", ("From your balance", "−$2.03"), True),
        ("-2.03", "2.03", ("To your balance", "$2.03"), True),
    ],
)
def test_what_the_balance_does_is_a_row_only_where_it_changes(
    invoice: Invoice, total: str, change: str, row: tuple[str, str] | None, is_to_pay: bool
) -> None:
    document = after(invoice, total=Decimal(total), balance_change=Decimal(change))
    assert document.balance == row
    assert bool(document.to_pay) == is_to_pay


def test_what_was_owed_before_is_called_so(invoice: Invoice) -> None:
    document = after(invoice, balance_change=Decimal(5))
    assert document.balance == ("Owed from before", "$5.00")


def test_a_credit_note_has_nothing_to_pay_and_no_date_for_it(invoice: Invoice) -> None:
    document = after(invoice, kind=NOTE, balance_change=Decimal(5), due_date=date(2026, 12, 1))
    assert (document.due, document.to_pay, document.payment_note) == ("", "", "")
    assert document.balance == ("To your balance", "$5.00")


def test_how_an_invoice_was_settled_is_on_it(invoice: Invoice) -> None:
    assert document_of(invoice).settled == ""
    assert after(invoice, voided_at=datetime(2026, 12, 2, tzinfo=UTC)).settled == "Voided on Dec 2, 2026"
    assert after(invoice, paid_at=datetime(2026, 12, 1, tzinfo=UTC)).settled == "Paid on Dec 1, 2026"
