"""Who pays at a month's end pays all of that month, whenever its usage comes: the history is dated, and asked by month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction

from accounts.changes import ForwardOnlyError
from accounts.models import AuditEvent, Organization
from accounts.organizations.organizations import end_organization
from accounts.periods import Period, month_of
from billing.invoices import closing, invoices, proof
from billing.models import DailyCost, Invoice
from billing.payer_history import BEGINNING, PayerSince
from billing.prices import payers, rerating
from billing.prices.payers import BilledMonthError, PayerRefusedError
from tests.database.waiting import until_somebody_waits
from tests.money import (
    ACTOR,
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
from tests.world import World, make_organization

pytestmark = pytest.mark.django_db
SEPTEMBER = month_of(date(2026, 9, 1))


def change(organization: Organization, parent: Organization | None, day: str) -> None:
    """From the month of that day on, as the command does it, with the re-rating that follows."""
    fresh = Organization.objects.get(pk=organization.pk)
    rerating.re_rate(payers.change_payer(organization=fresh, parent=parent, actor=ACTOR, now=at(day)))


def totals() -> set[tuple[str, str, Decimal]]:
    """(payer, month, subtotal) of every document."""
    rows = Invoice.objects.values_list("payer__name", "month", "subtotal")
    return {(name, f"{month:%Y-%m}", subtotal) for name, month, subtotal in rows}


def documents(month: Period) -> tuple[int, int]:
    """(documents of the month, those that are wrong)."""
    with connection.cursor() as cursor:
        drifts = {drift.layer: drift for drift in proof.prove_month(cursor, month)}
    return drifts["billed = invoice"].num_rows, drifts["billed = invoice"].num_different


@pytest.fixture(autouse=True)
def _prices(world: World) -> None:
    set_price("m", "0.01")
    set_price("m", "0.004", organization=world.acme)


def test_late_usage_of_a_month_without_cost_is_the_payers_of_that_month(world: World) -> None:
    """Labs is billed to Acme in September, uses nothing then, and pays for itself from October on."""
    change(world.labs, None, "2026-10-05")
    use(world.labs, "2026-09-20", "m", input_tokens=1_000)
    use(world.labs, "2026-10-20", "m", input_tokens=1_000)
    closing.close_ended_months(at("2026-11-04"))
    assert totals() == {("Acme", "2026-09", Decimal(4)), ("Acme Labs", "2026-10", Decimal(10))}
    assert total_of("subtotal") == rounded_costs() == 14


def test_late_usage_from_before_a_child_had_a_parent_is_its_own(world: World) -> None:
    """Other has no cost, and Acme pays for it from November on; then usage of October comes."""
    change(world.other, world.acme, "2026-11-05")
    use(world.other, "2026-10-20", "m", input_tokens=1_000)
    use(world.other, "2026-11-20", "m", input_tokens=1_000)
    assert set(DailyCost.objects.values_list("day", "unit_price")) == {
        (date(2026, 10, 20), Decimal("0.01")),
        (date(2026, 11, 20), Decimal("0.004")),
    }
    closing.close_ended_months(at("2026-12-04"))
    assert totals() == {("Other", "2026-10", Decimal(10)), ("Acme", "2026-11", Decimal(4))}


def test_late_usage_after_the_month_is_final_stays_with_its_payer(world: World) -> None:
    use(world.other, "2026-10-20", "m", input_tokens=100)
    close(OCTOBER)
    change(world.other, world.acme, "2026-11-05")
    use(world.other, "2026-10-21", "m", input_tokens=1_000)
    close(NOVEMBER)
    assert totals() == {("Other", "2026-10", Decimal(1)), ("Other", "2026-11", Decimal(10))}
    [line] = Invoice.objects.get(month=NOVEMBER.start).lines.all()
    assert (line.organization, line.usage_month) == (world.other, OCTOBER.start)


def test_usage_that_was_stored_and_not_rolled_up_before_the_change_is_no_different(world: World) -> None:
    change(world.labs, None, "2026-10-05")
    change(world.labs, world.other, "2026-11-05")
    for day in ("2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01"):
        use(world.labs, day, "m", input_tokens=100)
    closing.close_ended_months(at("2026-12-04"))
    assert totals() == {
        ("Acme", "2026-09", Decimal("0.40")),
        ("Acme Labs", "2026-10", Decimal(2)),
        ("Other", "2026-11", Decimal(1)),
    }


def test_the_last_change_of_a_month_holds_for_all_of_it(world: World) -> None:
    use(world.labs, "2026-10-02", "m", input_tokens=100)
    change(world.labs, None, "2026-10-05")
    change(world.labs, world.other, "2026-10-06")
    close(OCTOBER)
    assert totals() == {("Other", "2026-10", Decimal(1))}
    assert list(PayerSince.objects.order_by("first_month").values_list("first_month", "payer")) == [
        (BEGINNING, world.acme.pk),
        (OCTOBER.start, world.other.pk),
    ]


def test_a_change_before_a_later_one_is_refused_and_changes_nothing(world: World) -> None:
    change(world.labs, world.other, "2026-11-05")
    before = list(PayerSince.objects.order_by("first_month").values_list("first_month", "payer"))
    for parent in (None, world.acme, world.other):
        with pytest.raises(ForwardOnlyError, match="from a later month on"):
            change(world.labs, parent, "2026-10-05")
    assert Organization.objects.get(pk=world.labs.pk).parent == world.other
    assert list(PayerSince.objects.order_by("first_month").values_list("first_month", "payer")) == before
    change(world.labs, None, "2026-11-06")
    assert PayerSince.objects.get(first_month=NOVEMBER.start).payer == world.labs


def test_a_price_change_follows_the_payer_of_each_month(world: World) -> None:
    change(world.labs, None, "2026-10-05")
    for day in ("2026-09-20", "2026-10-20"):
        use(world.labs, day, "m", input_tokens=1_000)
    assert change_price(terms("m", "0.003", start="2026-01-01", organization=world.acme)) == 1
    assert dict(DailyCost.objects.values_list("day", "amount")) == {
        date(2026, 9, 20): Decimal(3),
        date(2026, 10, 20): Decimal(10),
    }


def test_a_price_that_a_final_invoice_charges_is_refused_by_who_paid_then(world: World) -> None:
    use(world.labs, "2026-09-20", "m", input_tokens=1_000)
    close(SEPTEMBER)
    change(world.labs, None, "2026-10-05")
    with pytest.raises(rerating.ClosedMonthError, match="INV-2026-0001"):
        change_price(terms("m", "0.003", start="2026-01-01", organization=world.acme))


def test_a_document_is_taken_back_and_billed_again_to_who_paid_then(world: World) -> None:
    use(world.labs, "2026-09-20", "m", input_tokens=1_000)
    [september] = close(SEPTEMBER)
    change(world.labs, None, "2026-10-05")
    invoices.void(september, actor=ACTOR, now=at("2026-11-10"))
    again = closing.close_payer(world.acme, SEPTEMBER, now=at("2026-11-11"))
    assert again is not None
    assert (again.payer, again.subtotal) == (world.acme, Decimal(4))
    assert closing.close_payer(world.labs, SEPTEMBER, now=at("2026-11-11")) is None


def test_the_proof_finds_usage_that_was_billed_to_the_payer_of_another_month(world: World) -> None:
    """As it was when late usage was billed to whoever paid at the time when it came."""
    use(world.labs, "2026-09-20", "m", input_tokens=1_000)
    close(SEPTEMBER)
    assert documents(SEPTEMBER) == (1, 0)
    change(world.labs, None, "2026-10-05")
    assert documents(SEPTEMBER) == (1, 0)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE billing_invoice SET payer_id = %s", [world.labs.pk])
        cursor.execute("RESET session_replication_role")
    assert documents(SEPTEMBER) == (1, 1)


def test_a_month_that_is_billed_gets_no_other_payer(world: World) -> None:
    """Neither where the payer until now has its invoice, nor where the new one has."""
    use(world.other, "2026-10-20", "m", input_tokens=100)
    close(OCTOBER)
    fresh = make_organization("Fresh")
    for organization, parent in ((world.other, world.acme), (fresh, world.other)):
        with pytest.raises(BilledMonthError, match="2026-11-01") as refused:
            change(organization, parent, "2026-10-31")
        assert refused.value.first_open_date == NOVEMBER.start
    assert not PayerSince.objects.exists()
    [october] = Invoice.objects.all()
    invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    change(world.other, world.acme, "2026-10-31")
    close(OCTOBER)
    assert ("Acme", "2026-10", Decimal("0.40")) in totals()


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_that_would_make_two_levels_one_is_refused() -> None:
    payer, middle, child = (make_organization(name) for name in ("Payer", "Middle", "Child"))
    first = partial(payers.change_payer, organization=middle, parent=payer, actor=ACTOR, now=at("2026-10-05"))
    second = partial(payers.change_payer, organization=child, parent=middle, actor=ACTOR, now=at("2026-10-05"))

    def later() -> None:
        try:
            second()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            first()
            waiting = threads.submit(later)
            until_somebody_waits()
        with pytest.raises(PayerRefusedError, match="is billed to another organization"):
            waiting.result(timeout=30)
    assert Organization.objects.get(pk=child.pk).parent is None


def test_who_has_ended_pays_for_nobody(world: World) -> None:
    ended = make_organization("Ended")
    end_organization(organization=ended, now=at("2026-10-04"))
    with pytest.raises(PayerRefusedError, match="has ended"):
        payers.change_payer(organization=world.other, parent=ended, actor=ACTOR, now=at("2026-10-05"))


def test_there_is_one_level(world: World) -> None:
    outsider = make_organization("Outsider")
    for organization, parent in ((world.acme, world.acme), (outsider, world.labs), (world.acme, outsider)):
        with pytest.raises(PayerRefusedError):
            payers.change_payer(organization=organization, parent=parent, actor=ACTOR, now=at("2026-10-05"))
    assert not PayerSince.objects.exists()


def test_owners_read_of_the_change_in_the_audit_log(world: World) -> None:
    change(world.labs, None, "2026-10-05")
    found = AuditEvent.objects.get(event="organization.payer_changed")
    assert found.details == {"payer": world.labs.public_id, "from": "2026-10-01"}
