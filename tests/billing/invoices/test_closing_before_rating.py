"""A month becomes final with the prices that were accepted by then, also where its usage is still to be rated again."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Organization
from billing.invoices import closing, invoices
from billing.invoices.invoices import InvoiceRefusedError, UnratedError
from billing.models import Invoice, PriceChange
from billing.prices import payers, rerating
from metering.models import FailedItem
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price, terms, use
from tests.world import World

pytestmark = pytest.mark.django_db
FINAL = at("2026-11-04")
Closing = Callable[[World], object]
BREAK_SQL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.organization_id = %s THEN RAISE EXCEPTION 'these costs are broken'; END IF; RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON billing_dailycost FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture(autouse=True)
def _usage(world: World) -> None:
    """$1.00 of Acme's and of Other's, in October and in November."""
    set_price("m", "0.01")
    for organization in (world.acme, world.other):
        for day in ("2026-10-05", "2026-11-05"):
            use(organization, day, "m", input_tokens=100)


def accept(
    unit_price: str, *, start: str = "2026-10-01", model: str = "m", organization: Organization | None = None
) -> PriceChange:
    """A change of the price that the worker has not rated yet."""
    return rerating.change_price(terms(model, unit_price, start=start, organization=organization), actor=ACTOR)


def totals() -> dict[str, Decimal]:
    """Payer → total of the invoices that are final."""
    rows: Iterable[tuple[str, Decimal]] = Invoice.objects.exclude(state="draft").values_list("payer__slug", "total")
    return dict(rows)


@pytest.mark.parametrize(
    "way",
    [
        lambda _world: closing.close_ended_months(FINAL),
        lambda _world: close(OCTOBER),
        lambda world: [closing.close_payer(one, OCTOBER, now=FINAL) for one in (world.acme, world.other)],
    ],
    ids=["every month", "this month", "payer by payer"],
)
def test_a_change_that_waits_is_rated_before_the_month_becomes_final(world: World, way: Closing) -> None:
    accept("0.02")
    way(world)
    assert totals() == {"acme": Decimal(2), "other": Decimal(2)}
    assert rerating.re_rate_waiting() == 0
    assert closing.failures() == []


def test_the_first_price_of_usage_counts_for_its_own_month_even_where_nothing_else_is_billed(world: World) -> None:
    use(world.labs, "2026-10-05", "n", input_tokens=100)
    payers.change_payer(organization=world.labs, parent=None, actor=ACTOR, now=at("2026-10-20"))
    accept("0.03", model="n")
    closing.close_ended_months(FINAL)
    assert totals()["acme-labs"] == 3


def test_a_payer_whose_usage_cannot_be_rated_waits_and_stops_nobody(world: World) -> None:
    accept("0.02", organization=world.other)
    with connection.cursor() as cursor:
        cursor.execute(BREAK_SQL.replace("%s", str(world.other.pk)))
    closing.close_ended_months(FINAL)
    assert totals() == {"acme": Decimal(1)}
    [failure] = closing.failures()
    assert failure.closing.payer == world.other
    assert "still being rated again" in failure.failed.last_error
    with pytest.raises(CommandError, match="still being rated again"):
        call_command("close_month", "--month", "2026-10", "--payer", "other")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse ON billing_dailycost")
    FailedItem.objects.update(next_attempt_at=at("2026-01-01"))
    closing.close_ended_months(FINAL)
    assert totals() == {"acme": Decimal(1), "other": Decimal(2)}
    assert closing.failures() == []


def test_a_held_invoice_is_not_released_over_costs_that_are_still_rated(world: World) -> None:
    use(world.other, "2026-10-06", "m", input_tokens=-300)
    close(OCTOBER)
    held = Invoice.objects.get(held_at__isnull=False)
    change = accept("0.02", organization=world.other)
    with pytest.raises(UnratedError):
        invoices.release(held, held.total, actor=ACTOR, now=FINAL)
    assert Invoice.objects.get(pk=held.pk).held_at is not None
    rerating.re_rate(change)
    assert invoices.release(held, Decimal(-4), actor=ACTOR, now=FINAL).total == -4


def test_what_waits_of_later_months_and_of_others_keeps_no_invoice(world: World) -> None:
    accept("0.02", start="2026-11-01")
    accept("0.03", organization=world.acme)
    issued = invoices.finalize(world.other, OCTOBER, FINAL)
    assert issued is not None
    assert (issued.state, issued.total) == (Invoice.State.OPEN, Decimal(1))
    for payer, month in ((world.acme, OCTOBER), (world.other, NOVEMBER)):
        with pytest.raises(InvoiceRefusedError):
            invoices.finalize(payer, month, at("2026-12-04"))


def test_an_invoice_that_is_final_stays_whatever_waits(world: World) -> None:
    [acme, _] = close(OCTOBER)
    use(world.acme, "2026-10-07", "n", input_tokens=100)
    accept("0.03", model="n")
    assert invoices.finalize(acme.payer, OCTOBER, FINAL) == acme
