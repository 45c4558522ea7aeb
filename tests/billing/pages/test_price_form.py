"""Setting a price: in the unit that people think in, and what looks like a slip is to be typed a second time."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from accounts.models import User
from billing.models import LineItem, Price, PriceChange
from billing.prices.caution import price_before
from billing.prices.rerating import Terms
from metering.models import Model
from tests.money import set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
CHANGE = "/settings/prices/change/"
FIELDS = {"model": "m", "line_item": "1", "context_band": "0", "effective_date": "2026-11-01"}


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    """Staff, with a model whose input costs $2.00 per 1M tokens and whose output costs nothing yet."""
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    set_price("m", "0.000002")
    use(world.labs, "2026-11-05", "m", input_tokens=5_600_000, output_tokens=5_600_000)
    return client_of(world.charlie)


def post(staff: Client, **sent: str) -> str:
    return unescape(staff.post(CHANGE, FIELDS | sent).content.decode())


@pytest.mark.parametrize(
    ("line_item", "unit_price", "said"),
    [
        (LineItem.INPUT, "0.0000006", "$0.60 per 1M tokens"),
        (LineItem.AUDIO_OUTPUT, "0.0000006", "$0.60 per 1M tokens"),
        (LineItem.CHARACTER, "0.0000006", "$0.60 per 1M characters"),
        (LineItem.BYTE_DAY, "0.0000006", "$0.60 per 1M byte-days"),
        (LineItem.IMAGE, "0.6", "$0.60 per image"),
        (LineItem.SESSION, "0.6", "$0.60 per session"),
        (LineItem.SECOND, "0.6", "$0.60 per second"),
        (LineItem.REQUEST, "0.6", "$0.60 per request"),
    ],
)
def test_the_unit_follows_the_part(staff: Client, line_item: LineItem, unit_price: str, said: str) -> None:
    sent = {"model": "new", "line_item": str(line_item.value), "amount": "0.60"}
    assert f": {said}</h2>" in post(staff, **sent)
    post(staff, **sent, confirm="yes")
    assert Price.objects.get(model__name="new").unit_price == Decimal(unit_price)


def test_correct_opens_in_the_unit_of_the_book_and_saving_it_changes_nothing(staff: Client) -> None:
    book = staff.get("/settings/prices/").content.decode()
    address = unescape(book.split(">Correct</a>")[0].rpartition('href="')[2].partition('"')[0])
    form = staff.get(address).context["form"]
    assert (form["amount"].value(), form["per"].value()) == ("2", None)
    fields = {name: form[name].value() or "" for name in form.fields}
    staff.post(CHANGE, fields | {"confirm": "yes"})
    assert Price.objects.get().unit_price == Decimal("0.000002")


def test_the_preview_has_separators(staff: Client) -> None:
    page = post(staff, line_item="5", amount="0.60", per="1")
    assert ": $600,000.00 per 1M tokens</h2>" in page
    assert "Usage of 1 day costs $3,360,000.00 instead of $0.00." in page
    assert "3,360,000.0000" in page


SLIPS = {
    "first price": ({"line_item": "5", "amount": "1000.01"}, "unusually high for the first price", "1000.01"),
    "unit": ({"amount": "0.60", "per": "1"}, "300,000 times the price until now, $2.00 per 1M tokens", "$600,000"),
    "too high": ({"amount": "40.01"}, "20 times the price until now", "40.010"),
    "too low": ({"amount": "0.09"}, "The price until now, $2.00 per 1M tokens, is 22 times the new one", "0.09"),
    "nothing": ({"amount": "0"}, "far more than the new one", "0.00"),
    "effect": ({"line_item": "5", "amount": "200"}, "would cost $1,120.00 instead of $0.00.", "200"),
    "organization": ({"organization": "acme-labs", "amount": "41"}, "20 times the price until now", "41"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_what_looks_like_a_slip_is_typed_a_second_time(staff: Client, slip: str) -> None:
    sent, reason, typed = SLIPS[slip]
    assert reason in post(staff, **sent)
    for wrong in ({}, {"typed": ""}, {"typed": "yes"}, {"typed": "1"}, {"typed": "NaN"}, {"typed": "9" * 400}):
        assert "Type the amount as it is asked for" in post(staff, **sent, confirm="yes", **wrong), wrong
    assert not PriceChange.objects.exists()
    assert staff.post(CHANGE, FIELDS | sent | {"confirm": "yes", "typed": typed}).status_code == 302


@pytest.mark.parametrize(
    "sent",
    [{"amount": "40"}, {"amount": "0.1"}, {"line_item": "5", "amount": "178"}, {"amount": ""}],
    ids=["20 times", "a twentieth", "a first price", "an end"],
)
def test_ordinary_changes_need_a_button_alone(staff: Client, sent: dict[str, str]) -> None:
    assert 'name="typed"' not in post(staff, **sent)
    assert staff.post(CHANGE, FIELDS | sent | {"confirm": "yes"}).status_code == 302


def test_an_end_that_takes_much_away_is_typed(staff: Client, world: World) -> None:
    set_price("dear", "0.001")
    use(world.labs, "2026-11-05", "dear", input_tokens=2_000_000)
    sent = {"model": "dear", "amount": "", "confirm": "yes"}
    assert "would cost $0.00 instead of $2,000.00." in post(staff, **sent)
    assert staff.post(CHANGE, FIELDS | sent | {"typed": "End"}).status_code == 302


def test_a_form_that_was_changed_after_the_preview_is_previewed_again(staff: Client) -> None:
    preview = staff.post(CHANGE, FIELDS | {"amount": "3"}).context["preview"]
    sent = {"confirm": "yes", "previewed": preview.previewed}
    for changed in ({"amount": "4"}, {"amount": "3", "effective_date": "2026-11-02"}):
        assert "The form was changed after the preview." in post(staff, **changed, **sent)
    assert not PriceChange.objects.exists()
    assert staff.post(CHANGE, FIELDS | {"amount": "3.00"} | sent).status_code == 302


def test_the_price_until_now_is_that_of_the_day_and_the_scope(world: World) -> None:
    set_price("m", "1")
    set_price("m", "2", start="2026-06-01")
    set_price("m", "9", organization=world.labs)
    model = Model.objects.get(name="m")

    def before(day: date, **scope: object) -> Decimal | None:
        terms = {"model": model, "line_item": LineItem.INPUT, "effective_date": day, "unit_price": Decimal(1)}
        return price_before(Terms(**{**terms, **scope}))  # type: ignore[arg-type]

    assert before(date(2026, 3, 1)) == 1
    assert before(date(2026, 6, 1)) == 2
    assert before(date(2025, 6, 1)) is None
    assert before(date(2026, 7, 1), organization=world.labs) == 9
    assert before(date(2026, 7, 1), organization=world.japan) == 2
    assert before(date(2026, 7, 1), batch=True) == 2
    assert before(date(2026, 7, 1), line_item=LineItem.OUTPUT) is None
