"""Documents apply the credit that grants pay, whatever the order in which months are closed and voided; and the proof of it."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.periods import Period, month_of
from billing.invoices import closing, credit_proof, grants, invoices, proof
from billing.invoices.documents import document_of
from billing.invoices.grants import GrantTerms
from billing.invoices.invoices import applied_credit
from billing.invoices.pdf import invoice_pdf
from billing.models import CreditGrant, Invoice
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, release_held, set_price, use
from tests.world import World

pytestmark = pytest.mark.django_db
SEPTEMBER = month_of(date(2026, 9, 1))


def give(world: World, amount: str, start: str = "2026-09-01", end: str | None = None) -> CreditGrant:
    asked = GrantTerms(
        name="Credit",
        amount=Decimal(amount),
        category="paid",
        effective_at=at(start),
        expires_at=at(end) if end else None,
    )
    return grants.give(world.other, asked, actor=ACTOR)


def credit(month: Period) -> tuple[int, int]:
    """(grants, those that differ) of the payers with documents of the month."""
    drift = credit_proof.prove_month(month)
    assert drift.layer == "credit = grants"
    return drift.num_rows, drift.num_different


def corrupt(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount > 0
        cursor.execute("RESET session_replication_role")


@pytest.fixture
def granted(world: World) -> CreditGrant:
    """$100.00, of which September's $10.00 and October's $20.00 are paid by final documents."""
    set_price("m", "0.01")
    grant = give(world, "100")
    use(world.other, "2026-09-10", "m", input_tokens=1_000)
    use(world.other, "2026-10-10", "m", input_tokens=2_000)
    closing.close_ended_months(at("2026-11-04"))
    assert applied_credit(world.other.pk) == {grant.pk: Decimal(30)}
    return grant


def close_september(world: World) -> Invoice:
    found = closing.close_payer(world.other, SEPTEMBER, now=at("2026-11-11"))
    assert found is not None
    return found


def test_a_month_that_is_billed_again_after_a_later_one_has_its_credit_again(
    world: World, granted: CreditGrant
) -> None:
    september = Invoice.objects.get(month=SEPTEMBER.start)
    invoices.void(september, actor=ACTOR, now=at("2026-11-10"))
    again = close_september(world)
    assert (again.subtotal, again.credits, again.due) == (Decimal(10), Decimal(10), Decimal(0))
    assert applied_credit(world.other.pk) == {granted.pk: Decimal(30)}
    assert credit(SEPTEMBER) == credit(OCTOBER) == (1, 0)


def test_the_first_usage_of_a_month_after_a_later_one_is_final_is_paid_by_credit(world: World) -> None:
    set_price("m", "0.01")
    grant = give(world, "100")
    use(world.other, "2026-10-10", "m", input_tokens=2_000)
    close(OCTOBER)
    use(world.other, "2026-09-10", "m", input_tokens=1_000)
    september = close_september(world)
    assert (september.subtotal, september.credits, september.due) == (Decimal(10), Decimal(10), Decimal(0))
    assert applied_credit(world.other.pk) == {grant.pk: Decimal(30)}


def test_earlier_usage_takes_from_later_usage_what_the_grant_does_not_have_twice(world: World) -> None:
    set_price("m", "0.01")
    grant = give(world, "100")
    use(world.other, "2026-10-10", "m", input_tokens=9_000)
    close(OCTOBER)
    use(world.other, "2026-09-10", "m", input_tokens=6_000)
    september = close_september(world)
    assert (september.subtotal, september.credits, september.due) == (Decimal(60), Decimal(10), Decimal(50))
    assert applied_credit(world.other.pk) == {grant.pk: Decimal(100)}


def test_usage_of_a_later_month_that_is_on_no_document_yet_gets_no_credit_yet(
    world: World, granted: CreditGrant
) -> None:
    invoices.void(Invoice.objects.get(month=SEPTEMBER.start), actor=ACTOR, now=at("2026-11-10"))
    use(world.other, "2026-10-20", "m", input_tokens=500)
    assert close_september(world).credits == 10
    [november] = close(NOVEMBER)
    assert (november.subtotal, november.credits, november.due) == (Decimal(5), Decimal(5), Decimal(0))


def test_credit_that_a_void_document_frees_goes_to_what_is_billed_though_nothing_else_is(world: World) -> None:
    """September's $60.00 and $40.00 of October's $90.00 were paid; September was never used: October has $50.00 to come."""
    set_price("m", "0.01")
    grant = give(world, "100")
    use(world.other, "2026-09-10", "m", input_tokens=6_000)
    use(world.other, "2026-10-10", "m", input_tokens=9_000)
    closing.close_ended_months(at("2026-11-04"))
    invoices.void(Invoice.objects.get(month=SEPTEMBER.start), actor=ACTOR, now=at("2026-11-10"))
    use(world.other, "2026-09-10", "m", input_tokens=-6_000)
    assert credit(OCTOBER) == (1, 0)
    close(NOVEMBER)
    [november] = release_held(at("2026-12-05"))
    assert (november.subtotal, november.credits, november.total) == (Decimal(0), Decimal(50), Decimal(-50))
    assert invoice_pdf(document_of(november)).startswith(b"%PDF-")
    assert applied_credit(world.other.pk) == {grant.pk: Decimal(90)}


def test_the_proof_finds_credit_reckoned_without_the_documents_of_later_months(
    world: World, granted: CreditGrant
) -> None:
    """September's new document takes $10.00 back, as it did when what October's applied was taken from September's."""
    invoices.void(Invoice.objects.get(month=SEPTEMBER.start), actor=ACTOR, now=at("2026-11-10"))
    again = close_september(world)
    corrupt(f"UPDATE billing_creditapplication SET amount = -10 WHERE invoice_id = {again.pk}")
    corrupt(f"UPDATE billing_invoice SET credits = -10, total = 20, due = 20 WHERE id = {again.pk}")
    assert credit(SEPTEMBER) == credit(OCTOBER) == (1, 1)
    with connection.cursor() as cursor:
        drifts = [(drift.layer, drift.num_different) for drift in proof.prove_month(cursor, SEPTEMBER)]
    assert drifts == [("cost = billed", 0), ("billed = invoice", 0), ("credit = grants", 1)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_creditgrant SET amount = 25",
        "UPDATE billing_creditapplication SET amount = amount - 0.01 WHERE amount = 20",
        "DELETE FROM billing_creditapplication WHERE amount = 20",
        "UPDATE billing_creditgrant SET expires_at = '2026-10-05'",
    ],
)
def test_the_proof_sees_grants_that_paid_something_else(granted: CreditGrant, statement: str) -> None:
    corrupt(statement)
    assert credit(OCTOBER) == (1, 1)


def test_the_proof_sees_credit_of_the_wrong_grant(world: World) -> None:
    set_price("m", "0.01")
    first, second = give(world, "5", end="2026-10-20"), give(world, "100")
    use(world.other, "2026-10-10", "m", input_tokens=2_000)
    close(OCTOBER)
    assert credit(OCTOBER) == (2, 0)
    assert applied_credit(world.other.pk) == {first.pk: Decimal(5), second.pk: Decimal(15)}
    corrupt("UPDATE billing_creditapplication SET amount = 20 - amount")
    assert credit(OCTOBER) == (2, 2)


def test_a_credit_note_that_waits_for_the_next_invoice_is_no_drift(world: World) -> None:
    set_price("m", "0.01")
    give(world, "100")
    use(world.other, "2026-09-10", "m", input_tokens=6_000)
    use(world.other, "2026-10-10", "m", input_tokens=9_000)
    closing.close_ended_months(at("2026-11-04"))
    invoices.void(Invoice.objects.get(month=SEPTEMBER.start), actor=ACTOR, now=at("2026-11-10"))
    assert credit(OCTOBER) == (1, 0)
    corrupt("UPDATE billing_creditapplication SET amount = 39 WHERE amount = 40")
    assert credit(OCTOBER) == (1, 1)
