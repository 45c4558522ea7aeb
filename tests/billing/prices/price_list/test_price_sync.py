"""The installed default price list against the book: what differs, and bringing it in."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Organization
from billing.models import DailyCost, Invoice, LineItem, Price, PriceChange, PriceSource
from billing.prices import sync
from billing.prices.book import RELEASE, add, look_up
from metering.models import Model, Sku
from tests.money import OCTOBER, close, rate, set_price, use
from tests.usage.rollup_rows import sku_of
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(db: None) -> Model:
    """A model with the list's prices in the book."""
    model = sku_of("gpt-4o").model
    add([(model, look_up(model.name))])
    return model


def output_of(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_a_book_that_is_up_to_date_has_no_differences(listed: Model) -> None:
    assert list(sync.differences()) == []
    assert "0 differences" in output_of("sync_prices")


def test_a_price_that_the_list_changed_is_shown_and_brought_in_on_demand(listed: Model, world: World) -> None:
    price = Price.objects.filter(model=listed, line_item=LineItem.INPUT, context_band=0).order_by("effective_date")[0]
    Price.objects.filter(pk=price.pk).update(unit_price=Decimal("0.5"), source="genai-prices 0.0.1")
    PriceSource.objects.update(release="genai-prices 0.0.1")
    use(world.acme, "2026-10-05", "gpt-4o", input_tokens=10)
    shown = output_of("sync_prices")
    assert "gpt-4o, input from" in shown
    assert "0.5 → " in shown
    assert not PriceChange.objects.exists()
    output_of("sync_prices", "--apply")
    price.refresh_from_db()
    assert (price.unit_price, price.source) != (Decimal("0.5"), "genai-prices 0.0.1")
    assert list(sync.differences()) == []
    assert PriceSource.objects.get(model=listed).release == RELEASE


def test_a_price_that_a_person_set_is_left(listed: Model, world: World) -> None:
    Price.objects.filter(model=listed, line_item=LineItem.OUTPUT).update(unit_price=7, source="set by staff@acme.test")
    Price.objects.filter(model=listed, line_item=LineItem.OUTPUT, batch=True).delete()
    assert "set by a person, left as it is" in output_of("sync_prices", "--apply")
    Sku.objects.filter(pk=sku_of("gpt-4o").pk).update(batch=True)
    use(world.acme, "2026-11-05", "gpt-4o", output_tokens=1)
    assert (
        DailyCost.objects.get().amount == 7
    )  # the list's price of batches is back in the book, and counts behind theirs


def test_a_price_of_batches_that_is_new_in_the_list_is_brought_in(listed: Model, world: World) -> None:
    Price.objects.filter(model=listed, batch=True).delete()
    found = list(sync.differences())
    assert found
    assert {(difference.terms.batch, difference.is_in_book, difference.is_kept) for difference in found} == {
        (True, False, False)
    }
    output_of("sync_prices", "--apply")
    assert list(sync.differences()) == []


def test_what_final_invoices_charge_is_left_as_it_is(listed: Model, world: World) -> None:
    Price.objects.filter(model=listed).update(unit_price=1, source="genai-prices 0.0.1")
    use(world.acme, "2026-10-05", "gpt-4o", input_tokens=10)
    close(OCTOBER)
    assert "left as it is: This would change what final invoices charge" in output_of("sync_prices", "--apply")
    assert Invoice.objects.get().total == 10


def test_closing_by_hand_and_for_one_payer(world: World) -> None:
    set_price("m", "0.01", start="2020-01-01")
    use(world.acme, "2020-10-05", "m", input_tokens=100)
    use(world.other, "2020-10-05", "m", input_tokens=100)
    assert ": $1.00, open" in output_of("close_month", "--month", "2020-10", "--payer", "acme")
    assert "2 of 2 payers" not in output_of("close_month", "--month", "2020-10")
    assert Invoice.objects.count() == 2
    with pytest.raises(CommandError, match="is not over"):
        call_command("close_month", "--month", "2999-01")
    for wrong in (("--payer", "nobody"), ("--month", "2020-13")):
        with pytest.raises(CommandError):
            call_command("close_month", *wrong)


def test_the_payer_is_changed_by_command(world: World) -> None:
    assert "Acme Labs is billed to itself" in output_of("change_payer", "acme-labs")
    assert Organization.objects.get(pk=world.labs.pk).parent is None
    for wrong in (
        ("acme", "--parent", "acme-japan"),
        ("acme", "--parent", "acme"),
        ("acme", "--parent", "other"),
        ("x",),
    ):
        with pytest.raises(CommandError):
            call_command("change_payer", *wrong)


def test_rating_again_by_a_parent_that_pays_no_more(world: World) -> None:
    """The parent's negotiated price holds for a child as long as the parent pays."""
    set_price("m", "0.01")
    set_price("m", "0.001", organization=world.acme)
    use(world.labs, "2026-10-05", "m", input_tokens=100)
    Organization.objects.filter(pk=world.labs.pk).update(parent=None)
    rate(world.labs, OCTOBER.start.replace(day=5))
    [invoice] = close(OCTOBER)
    assert (invoice.payer, invoice.total) == (world.labs, Decimal(1))
