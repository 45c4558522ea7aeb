"""The last layer of the proof: final documents charge what the stored costs say, and add up."""

import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import RoutingVersion
from accounts.periods import Period, month_of, previous_month
from apikeys import directory
from billing.invoices import closing, grants, invoices
from billing.invoices import proof as billed_proof
from billing.invoices.grants import GrantTerms
from billing.models import BillingDetails, DailyCost, Invoice
from billing.prices import rating
from metering.intake import skus
from metering.rollups.proof import Drift
from tests.engine import make_event, make_key, make_token, send
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, change_price, close, set_price, terms, use
from tests.world import World, make_world

NOTHING = {"cost = billed": (0, 0), "billed = invoice": (0, 0), "credit = grants": (0, 0)}


def proof(month: Period = OCTOBER) -> dict[str, tuple[int, int]]:
    """Layer → (rows, rows that differ)."""
    with connection.cursor() as cursor:
        return {drift.layer: _counts(drift) for drift in billed_proof.prove_month(cursor, month)}


def _counts(drift: Drift) -> tuple[int, int]:
    return drift.num_rows, drift.num_different


def corrupt(statement: str) -> None:
    """Change what the database keeps final, as a person with all rights could."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount > 0
        cursor.execute("RESET session_replication_role")


@pytest.fixture
def october(world: World) -> Invoice:
    """Acme's invoice of three keys, with credit and tax; and one of Other with one key."""
    set_price("m", "0.01")
    set_price("n", "0.003333333333")
    BillingDetails.objects.create(organization=world.acme, tax_rate="0.19")
    credit = GrantTerms(name="A", amount=Decimal("0.25"), category="paid", effective_at=at("2026-10-01"))
    grants.give(world.acme, credit, actor=ACTOR)
    for day in ("2026-10-02", "2026-10-30"):
        use(world.acme, day, "m", input_tokens=100)
        use(world.acme, day, "n", input_tokens=7)
        use(world.labs, day, "m", input_tokens=50)
        use(world.other, day, "m", input_tokens=50)
    found = {invoice.payer_id: invoice for invoice in close(OCTOBER)}
    return found[world.acme.pk]


def test_a_month_that_is_billed_agrees_key_by_key_and_document_by_document(october: Invoice) -> None:
    assert proof() == {"cost = billed": (4, 0), "billed = invoice": (2, 0), "credit = grants": (1, 0)}
    assert proof(NOVEMBER) == NOTHING


def test_a_month_in_its_days_of_grace_has_no_final_document_to_compare(world: World) -> None:
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "m", input_tokens=100)
    close(OCTOBER, days_after=1)
    assert proof() == NOTHING


@pytest.mark.parametrize(
    ("statement", "keys", "documents"),
    [
        ("UPDATE billing_invoiceline SET amount = amount + 0.01 WHERE quantity = 14", 1, 1),
        ("DELETE FROM billing_invoiceline WHERE quantity = 14", 1, 1),
        ("UPDATE billing_invoiceline SET line_item = 5 WHERE quantity = 14", 2, 0),
        (
            "UPDATE billing_invoice SET subtotal = subtotal + 1, total = total + 1, due = due + 1 WHERE credits > 0",
            0,
            1,
        ),
        ("UPDATE billing_invoice SET tax = tax + 0.01, total = total + 0.01, due = due + 0.01 WHERE credits > 0", 0, 1),
        ("UPDATE billing_creditapplication SET amount = amount - 0.01", 0, 1),
        ("UPDATE billing_billedday SET amount = amount + 0.01 WHERE day = '2026-10-30' AND amount = 0.50", 0, 2),
        ("UPDATE billing_billedday SET day = '2026-09-30' WHERE day = '2026-10-30' AND amount = 1.03", 0, 1),
        (
            "UPDATE billing_dailycost SET unit_price = 1, amount = quantity WHERE day = '2026-10-30' AND quantity = 7",
            1,
            0,
        ),
    ],
)
def test_what_was_changed_behind_the_database_is_seen(
    october: Invoice, statement: str, keys: int, documents: int
) -> None:
    corrupt(statement)
    found = proof()
    assert (found["cost = billed"][1], found["billed = invoice"][1]) == (keys, documents)


def test_cost_that_changed_for_no_known_reason_is_seen(world: World, october: Invoice) -> None:
    use(world.acme, "2026-10-02", "m", input_tokens=100)
    assert proof()["cost = billed"] == (4, 1)
    close(NOVEMBER)
    assert proof()["cost = billed"] == (4, 0)


def test_a_late_price_waits_for_the_next_invoice_and_is_no_drift(world: World, october: Invoice) -> None:
    use(world.acme, "2026-10-02", "unknown", input_tokens=100)
    assert proof()["cost = billed"] == (4, 0)
    change_price(terms("unknown", "0.01", start="2026-01-01"))
    assert proof()["cost = billed"] == (5, 0)
    close(NOVEMBER)
    assert proof()["cost = billed"] == (5, 0)


def test_what_a_credit_note_took_back_waits_and_is_no_drift(world: World, october: Invoice) -> None:
    note = invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    assert proof() == {"cost = billed": (4, 0), "billed = invoice": (3, 0), "credit = grants": (1, 0)}
    closing.close_payer(world.acme, OCTOBER, now=at("2026-11-11"))
    assert proof() == {"cost = billed": (4, 0), "billed = invoice": (4, 0), "credit = grants": (1, 0)}
    corrupt(f"UPDATE billing_invoiceline SET amount = amount + 0.01 WHERE invoice_id = {note.pk} AND quantity = -14")
    assert proof() == {"cost = billed": (4, 1), "billed = invoice": (4, 1), "credit = grants": (1, 0)}


@pytest.mark.django_db(transaction=True)
def test_the_command_proves_from_raw_events_to_invoices_and_takes_late_events_for_what_they_are(
    settings: Settings,
) -> None:
    settings.INVOICE_GRACE_DAYS = 0
    world = make_world()
    directory.forget()
    skus.forget()
    RoutingVersion.objects.get_or_create(id=1)
    set_price("m", "0.01")
    month = previous_month(month_of(database_now().date()))
    key, token = make_key(world.alice), make_token()
    when = month.end_at - timedelta(hours=1)

    def report(event_id: str) -> None:
        event = make_event(
            id=event_id, model="m", api_key_id=key.public_id, timestamp=when, input_tokens=100, output_tokens=None
        )
        assert send([event], token) == ["accepted"]
        rating.catch_up()

    report("in-time")
    [invoice] = [found.invoice for found in closing.close_month(month, now=month.end_at)]
    assert invoice is not None
    assert invoice.total == 1
    report("late")
    assert DailyCost.objects.get().amount == 2
    printed = _verified()
    assert "cost = billed" in printed
    assert "drift 0" in printed.splitlines()[-1]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_invoiceline DISABLE TRIGGER final_invoice_lines")
        cursor.execute("UPDATE billing_invoiceline SET amount = 0.5")
        cursor.execute("ALTER TABLE billing_invoiceline ENABLE TRIGGER final_invoice_lines")
    out = io.StringIO()
    with pytest.raises(CommandError, match="is voided"):
        call_command("verify_rollups", stdout=out)
    assert f"{month.start}  billed = invoice: different rows: 1" in out.getvalue()


def _verified() -> str:
    out = io.StringIO()
    call_command("verify_rollups", stdout=out)
    return out.getvalue()
