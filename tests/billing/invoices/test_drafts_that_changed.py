"""In the days of grace only those drafts are made anew that would be others now, and each of those is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Organization
from accounts.periods import Period, month_of, next_month, previous_month
from billing import proof
from billing.changes import costs
from billing.changes.kept import CostChange, MadeDraft
from billing.invoices import balance, closing, grants, invoices
from billing.invoices.details import change_details
from billing.models import Invoice
from billing.payer_history import BEGINNING, PayerSince
from billing.prices import rating, rerating
from metering.rollups.touched import touch
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.money import ACTOR, change_price, set_price, terms, use
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def month() -> Period:
    """The last one that is over: what changes in months that are over is noted by the database's clock."""
    return previous_month(month_of(database_now().date()))


@pytest.fixture
def drafted(world: World, month: Period) -> World:
    set_price("m", "0.01", start=month.start.isoformat())
    for organization in (world.acme, world.labs, world.other):
        use(organization, month.start, "m", input_tokens=1_000)
    assert made(month) == {"acme", "other"}
    assert made(month) == set()
    return world


def made(month: Period, *, at_once: bool = False) -> set[str]:
    """Close the month within the days of grace; whose drafts were made."""
    now = month.end_at + timedelta(hours=1)
    return {progress.payer.slug for progress in closing.close_month(month, now=now, at_once=at_once)}


def total_of(organization: Organization) -> Decimal:
    return Invoice.objects.get(payer=organization, kind=Invoice.Kind.INVOICE, state=Invoice.State.DRAFT).total


def report(world: World, at: datetime, **measures: int) -> None:
    """An event of Rita's, who is in Acme, rolled up."""
    event = make_event(
        api_key_id=make_key(world.rita).public_id, model="m", timestamp=at, output_tokens=None, **measures
    )
    assert send([event], make_token()) == ["accepted"]
    roll_up()


def test_late_usage_has_its_payers_draft_made_anew_and_no_other(drafted: World, month: Period) -> None:
    use(drafted.labs, month.start + timedelta(days=3), "m", input_tokens=500)
    assert made(month) == {"acme"}
    assert total_of(drafted.acme) == Decimal(25)


def test_a_correction_that_takes_all_back_takes_the_draft_away(drafted: World, month: Period) -> None:
    use(drafted.other, month.start, "m", input_tokens=-1_000)
    assert made(month) == {"other"}
    assert not Invoice.objects.filter(payer=drafted.other).exists()
    assert made(month) == set()


def test_late_usage_of_an_earlier_month_counts_as_well(drafted: World, month: Period) -> None:
    set_price("m", "0.01", start="2020-01-01")
    use(drafted.other, previous_month(month).start, "m", input_tokens=100)
    assert made(month) == {"other"}
    assert total_of(drafted.other) == Decimal(11)


def test_usage_of_the_month_that_goes_on_changes_no_draft(drafted: World, month: Period) -> None:
    use(drafted.other, next_month(month).start, "m", input_tokens=100)
    changes = CostChange.objects.get(organization_id=drafted.other.pk).number
    is_last_day = (database_now() + timedelta(days=1)).day == 1  # usage of that day may be billed within the hour
    assert (changes > 1) == is_last_day
    assert made(month) == ({"other"} if is_last_day else set())


def test_late_events_change_the_draft_through_a_rollup(drafted: World, month: Period) -> None:
    report(drafted, month.end_at - timedelta(hours=1), input_tokens=700)
    assert made(month) == {"acme"}
    assert total_of(drafted.acme) == Decimal(27)


def test_a_corrected_price_counts(drafted: World, month: Period) -> None:
    change_price(terms("m", "0.02", start=month.start.isoformat(), organization=drafted.other))
    assert made(month) == {"other"}
    assert total_of(drafted.other) == Decimal(20)


def test_a_price_that_is_still_being_rated_counts_when_it_is(drafted: World, month: Period) -> None:
    change = rerating.change_price(terms("m", "0.02", start=month.start.isoformat()), actor=ACTOR)
    assert made(month) == set()
    rerating.re_rate(change)
    assert made(month) == {"acme", "other"}


def test_days_that_are_computed_again_count_even_where_nothing_is_left(drafted: World, month: Period) -> None:
    """There are no raw events behind the usage of these tests: what is computed again is nothing."""
    report(drafted, month.start_at, input_tokens=100)
    assert made(month) == {"acme"}
    days = [Period(month.start, month.start + timedelta(days=1))]
    assert list(proof.rebuild(days)) == days
    assert made(month) == {"acme", "other"}
    assert not Invoice.objects.filter(payer=drafted.other).exists()


def give_credit(world: World) -> None:
    month = previous_month(month_of(database_now().date()))
    wanted = grants.GrantTerms(name="c", amount=Decimal(5), category="paid", effective_at=month.start_at)
    grants.give(world.other, wanted, actor=ACTOR)


def void_credit(world: World) -> None:
    give_credit(world)
    made(previous_month(month_of(database_now().date())))
    [grant] = world.other.credit_grants.all()
    grants.void(grant, actor=ACTOR, now=grant.effective_at + timedelta(hours=1))


def change_tax(world: World) -> None:
    with transaction.atomic():
        change_details(organization=world.other, fields={"tax_rate": Decimal("0.19")}, actor=ACTOR)


def move(world: World) -> None:
    with transaction.atomic():
        change_details(organization=world.other, fields={"address": "1 New Street"}, actor=ACTOR)


def rename(world: World) -> None:
    Organization.objects.filter(pk=world.other.pk).update(name="Renamed")


@pytest.mark.parametrize("change", [give_credit, void_credit, change_tax, move, rename])
def test_whatever_else_is_on_the_draft_counts(drafted: World, month: Period, change: Callable[[World], None]) -> None:
    change(drafted)
    before = contents(drafted.other)
    assert made(month) == {"other"}
    assert contents(drafted.other) != before
    assert made(month) == set()


def contents(organization: Organization) -> tuple[object, ...]:
    draft = Invoice.objects.get(payer=organization, state=Invoice.State.DRAFT)
    return draft.total, draft.credits, draft.tax, draft.buyer


def test_a_child_that_comes_or_goes_counts_for_both_payers(drafted: World, month: Period) -> None:
    PayerSince.objects.create(organization=drafted.labs, first_month=BEGINNING, payer=drafted.acme)
    PayerSince.objects.create(organization=drafted.labs, first_month=month.start, payer=drafted.other)
    assert made(month) == {"acme", "other"}
    assert (total_of(drafted.acme), total_of(drafted.other)) == (Decimal(10), Decimal(20))


def test_a_new_child_whose_usage_comes_late_counts(drafted: World, month: Period) -> None:
    child = Organization.objects.create(name="New", slug="new", parent=drafted.other)
    use(child, month.start, "m", input_tokens=300)
    assert made(month) == {"other"}
    assert total_of(drafted.other) == Decimal(13)


def test_a_document_of_another_month_and_its_balance_count(drafted: World, month: Period) -> None:
    earlier = previous_month(month)
    use(drafted.other, earlier.start, "unpriced", input_tokens=1)
    set_price("m", "0.01", start="2020-01-01")
    use(drafted.other, earlier.start, "m", input_tokens=200)
    made(month)
    assert total_of(drafted.other) == Decimal(12)
    issued = invoices.finalize(drafted.other, earlier, database_now())
    assert issued is not None
    assert made(month) == {"other"}
    assert total_of(drafted.other) == Decimal(10)
    invoices.mark_paid(issued, actor=ACTOR, now=database_now())
    invoices.void(issued, actor=ACTOR, now=database_now())
    assert made(month) == {"other"}
    [draft] = Invoice.objects.filter(payer=drafted.other, state=Invoice.State.DRAFT)
    assert (draft.total, draft.due) == (Decimal(12), Decimal(10))
    balance.refund(drafted.other, Decimal(2), actor=ACTOR)
    assert made(month) == {"other"}


def test_terms_of_the_installation_count(drafted: World, month: Period, settings: Settings) -> None:
    settings.INVOICE_TAX_RATE = Decimal("0.07")
    assert made(month) == {"acme", "other"}
    settings.INVOICE_SELLER_NAME = "Seller, renamed"
    assert made(month) == {"acme", "other"}


def test_payers_with_nothing_to_bill_are_not_asked_again(world: World, month: Period) -> None:
    use(world.other, month.start, "unpriced", input_tokens=1)
    assert list(closing.close_month(month, now=month.end_at)) == [closing.Progress(1, 1, world.other, None)]
    assert made(month) == set()


def test_by_hand_all_are_made_anew(drafted: World, month: Period) -> None:
    assert made(month, at_once=True) == {"acme", "other"}


def test_a_draft_is_made_anew_after_a_day_whatever_is_known(drafted: World, month: Period) -> None:
    MadeDraft.objects.filter(payer=drafted.acme).update(made_at=database_now() - timedelta(days=1, seconds=1))
    assert made(month) == {"acme"}


def test_after_the_days_of_grace_all_are_final(drafted: World, month: Period) -> None:
    list(closing.close_month(month, now=month.end_at + timedelta(days=20)))
    assert set(Invoice.objects.values_list("payer__slug", "state")) == {("acme", "open"), ("other", "open")}
    assert not MadeDraft.objects.exists()


def test_costs_committed_while_drafts_are_made_are_seen_the_next_time(drafted: World, month: Period) -> None:
    """The version is read before the first draft: what comes between that and a draft may be on it, or not."""
    use(drafted.acme, month.start, "m", input_tokens=100)
    use(drafted.other, month.start, "m", input_tokens=100)
    begun = closing.close_month(month, now=month.end_at)
    first = next(begun).payer
    use(first, month.start, "m", input_tokens=100)
    list(begun)
    assert made(month) == {first.slug}


def test_what_changes_costs_says_so_in_the_same_transaction(drafted: World, month: Period) -> None:
    before = CostChange.objects.get(organization_id=drafted.other.pk).number
    with transaction.atomic(), connection.cursor() as cursor:
        where = "metering_organizationdailyusage WHERE organization_id = %s"
        rating.rate(cursor, touch(cursor, where, [drafted.other.pk]))
        assert CostChange.objects.get(organization_id=drafted.other.pk).number == before + 1
        transaction.set_rollback(True)
    assert CostChange.objects.get(organization_id=drafted.other.pk).number == before


@pytest.mark.parametrize(
    ("now", "is_noted"), [("2026-10-30 23:59", False), ("2026-10-31 00:00", True), ("2026-11-01 00:00", True)]
)
def test_costs_of_a_month_are_noted_from_its_last_day_on(
    drafted: World, monkeypatch: pytest.MonkeyPatch, now: str, is_noted: bool
) -> None:
    monkeypatch.setattr(costs, "NOW", f"timestamptz '{now}Z'")
    CostChange.objects.all().delete()
    with connection.cursor() as cursor:
        costs.note(cursor, "(VALUES (%s, date '2026-10-15')) AS cost (organization_id, day)", [drafted.other.pk])
    assert CostChange.objects.exists() == is_noted


def test_a_draft_that_was_made_by_hand_is_compared_with_what_it_was_made_from(drafted: World, month: Period) -> None:
    """Between two turns everything is changed, drafted, and changed back."""
    Organization.objects.filter(pk=drafted.other.pk).update(name="Between")
    closing.close_payer(Organization.objects.get(pk=drafted.other.pk), month, now=month.end_at)
    assert Invoice.objects.get(payer=drafted.other).buyer["name"] == "Between"
    Organization.objects.filter(pk=drafted.other.pk).update(name=drafted.other.name)
    assert "other" in made(month)
    assert Invoice.objects.get(payer=drafted.other).buyer["name"] == drafted.other.name
