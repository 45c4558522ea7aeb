"""Changing prices: the preview, the change, the re-rating, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import AuditEvent
from accounts.periods import one_day
from billing.invoices import invoices
from billing.models import CostAdjustment, DailyCost, Invoice, LineItem, Price, PriceChange
from billing.prices import rerating
from billing.prices.rerating import ClosedMonthError, PriceRefusedError, preview
from billing.proof import EXPECTED_COST, STORED_COST
from metering.rollups import proof
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, change_price, close, set_price, terms, total_of, use
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _usage(world: World) -> None:
    set_price("m", "0.01")
    for day in ("2026-10-05", "2026-11-05", "2026-11-06"):
        use(world.labs, day, "m", input_tokens=100)
        use(world.other, day, "m", input_tokens=10, output_tokens=5)


def cost_of(organization_id: int, day: str) -> Decimal | None:
    cost: DailyCost = DailyCost.objects.get(organization_id=organization_id, day=day, line_item=LineItem.INPUT)
    return cost.amount


def drift(day: str) -> int:
    """Rows of the day whose stored cost is not what usage and book say."""
    with connection.cursor() as cursor:
        return proof.compare(cursor, one_day(date.fromisoformat(day)), "cost", EXPECTED_COST, STORED_COST).num_different


def test_the_preview_says_which_days_and_organizations_change_and_keeps_nothing(world: World) -> None:
    effect = preview(terms("m", "0.02", start="2026-11-01"))
    assert [(found.name, found.num_days, found.before, found.after) for found in effect.organizations] == [
        ("Acme Labs", 2, Decimal(2), Decimal(4)),
        ("Other", 2, Decimal("0.2"), Decimal("0.4")),
    ]
    assert [(found.day, found.difference) for found in effect.days] == [
        (date(2026, 11, 5), Decimal("1.1")),
        (date(2026, 11, 6), Decimal("1.1")),
    ]
    assert Price.objects.count() == 1
    assert cost_of(world.labs.pk, "2026-11-05") == 1


def test_a_change_rates_again_and_keeps_the_old_amounts(world: World) -> None:
    assert change_price(terms("m", "0.02", start="2026-11-06")) == 1
    assert cost_of(world.labs.pk, "2026-11-06") == 2
    assert cost_of(world.labs.pk, "2026-11-05") == 1
    assert set(CostAdjustment.objects.values_list("organization_id", "amount_before", "amount_after")) == {
        (world.labs.pk, Decimal(1), Decimal(2)),
        (world.other.pk, Decimal("0.1"), Decimal("0.2")),
    }
    assert AuditEvent.objects.get(event="price.changed").details["unit_price"] == "0.02"


def test_the_work_is_done_by_days_and_goes_on_where_it_stopped(world: World) -> None:
    change = rerating.change_price(terms("m", "0.02", start="2026-10-01"), actor=ACTOR)
    assert (change.num_days, change.num_days_done, change.finished_at) == (3, 0, None)
    assert rerating._re_rate_next_day(change.pk)
    change.refresh_from_db()
    assert change.num_days_done == 1
    assert rerating.re_rate_waiting() == 2
    change.refresh_from_db()
    assert change.finished_at is not None
    assert rerating.re_rate_waiting() == 0


def test_a_correction_replaces_the_price_of_its_day_and_remembers_it(world: World) -> None:
    change_price(terms("m", "0.02", start="2026-01-01"))
    assert Price.objects.get().unit_price == Decimal("0.02")
    assert PriceChange.objects.get().old_unit_price == Decimal("0.01")
    assert cost_of(world.labs.pk, "2026-10-05") == 2


def test_an_ended_price_leaves_usage_unpriced_and_never_free(world: World) -> None:
    change_price(terms("m", None, start="2026-11-06"))
    assert cost_of(world.labs.pk, "2026-11-06") is None
    assert cost_of(world.labs.pk, "2026-11-05") == 1


def test_an_ended_price_of_what_need_not_be_priced_leaves_no_row(world: World) -> None:
    use(world.labs, "2026-11-05", "m", num_model_requests=7)
    change_price(terms("m", "1", start="2026-01-01", line_item=LineItem.REQUEST))
    requests = DailyCost.objects.filter(line_item=LineItem.REQUEST)
    assert [row.amount for row in requests] == [7]
    change_price(terms("m", None, start="2026-01-01", line_item=LineItem.REQUEST))
    assert not requests.all().exists()
    assert drift("2026-11-05") == 0


def test_a_negotiated_price_is_the_organizations_own_then_its_parents_then_the_general(world: World) -> None:
    change_price(terms("m", "0.005", start="2026-11-01", organization=world.acme))
    assert cost_of(world.labs.pk, "2026-11-05") == Decimal("0.5")
    assert cost_of(world.other.pk, "2026-11-05") == Decimal("0.1")
    change_price(terms("m", "0.001", start="2026-11-06", organization=world.labs))
    assert cost_of(world.labs.pk, "2026-11-05") == Decimal("0.5")
    assert cost_of(world.labs.pk, "2026-11-06") == Decimal("0.1")
    change_price(terms("m", None, start="2026-11-06", organization=world.labs))
    assert cost_of(world.labs.pk, "2026-11-06") == Decimal("0.5")


def test_what_final_invoices_charge_is_not_changed_and_the_way_out_is_named(world: World) -> None:
    close(OCTOBER)
    wanted = terms("m", "0.02", start="2026-10-01")
    refusal = preview(wanted).refusal
    assert isinstance(refusal, ClosedMonthError)
    assert refusal.first_open_date == date(2026, 11, 1)
    assert "2026-11-01 or later, or void those invoices" in str(refusal)
    with pytest.raises(ClosedMonthError, match="INV-2026-0001"):
        change_price(wanted)
    assert Price.objects.get().unit_price == Decimal("0.01")
    assert not PriceChange.objects.exists()
    change_price(terms("m", "0.02", start="2026-11-01"))
    assert cost_of(world.labs.pk, "2026-10-05") == 1


def test_late_usage_that_a_later_invoice_charges_is_not_changed_either(world: World) -> None:
    set_price("late", "0.01")
    use(world.other, "2026-10-05", "late", input_tokens=100)
    for october in close(OCTOBER):
        invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    close(NOVEMBER)
    wanted = terms("late", "0.02", start="2026-10-01")
    refusal = preview(wanted).refusal
    assert isinstance(refusal, ClosedMonthError)
    charging = Invoice.objects.get(payer=world.other, state="open", kind="invoice")
    assert f"({charging.number})" in str(refusal)
    assert refusal.first_open_date == date(2026, 11, 1)
    with pytest.raises(ClosedMonthError):
        change_price(wanted)
    assert change_price(terms("late", "0.02", start="2026-11-01")) == 0
    invoices.void(charging, actor=ACTOR, now=at("2026-12-10"))
    assert change_price(wanted) == 1


def test_an_invoice_that_charges_usage_of_two_months_is_named_once(world: World) -> None:
    for october in close(OCTOBER):
        invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    close(NOVEMBER)
    refusal = preview(terms("m", "0.02", start="2026-10-01")).refusal
    assert isinstance(refusal, ClosedMonthError)
    numbers = [str(found) for found in Invoice.objects.filter(state="open", kind="invoice").order_by("number")]
    assert len(numbers) == 2
    assert f"({', '.join(numbers)})" in str(refusal)
    assert refusal.first_open_date == date(2026, 12, 1)


def test_unpriced_usage_of_a_closed_month_may_be_priced(world: World) -> None:
    close(OCTOBER)
    change_price(terms("m", "0.5", start="2026-01-01", line_item=LineItem.OUTPUT))
    [invoice] = [found for found in close(NOVEMBER) if found.payer == world.other]
    late = invoice.lines.get(usage_month=OCTOBER.start)
    assert (late.line_item, late.amount) == (LineItem.OUTPUT, Decimal("2.5"))


def test_rating_again_twice_changes_nothing_and_cost_is_what_usage_and_book_say(world: World) -> None:
    wanted = terms("m", "0.000000000001", start="2026-11-01")
    assert change_price(wanted) == 2
    stored = list(DailyCost.objects.order_by("organization_id", "day", "line_item").values())
    assert change_price(wanted) == 0
    assert list(DailyCost.objects.order_by("organization_id", "day", "line_item").values()) == stored
    assert cost_of(world.labs.pk, "2026-11-05") == Decimal("0.0000000001")
    assert drift("2026-11-05") == drift("2026-10-05") == 0


def test_a_price_of_nothing_is_a_price(world: World) -> None:
    change_price(terms("m", "0", start="2026-01-01"))
    assert cost_of(world.labs.pk, "2026-10-05") == 0
    assert total_of("total") == 0


@pytest.mark.parametrize("unit_price", ["-0.01", "1e-13", "NaN", "Infinity", "1e12"])
def test_a_price_that_is_none_is_refused(world: World, unit_price: str) -> None:
    with pytest.raises(PriceRefusedError):
        terms("m", unit_price, start="2026-01-01")


def test_a_price_before_the_calendar_is_refused(world: World) -> None:
    with pytest.raises(PriceRefusedError):
        terms("m", "1", start="1999-12-31")
