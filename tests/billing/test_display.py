"""Money and quantities as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.display import axis_dollars, dollars, exact_dollars, quantity
from billing.models import LineItem
from billing.money import to_cents

AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=12)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.000000000001", "<$0.01"),
        ("-0.004", "−<$0.01"),
        ("0.01", "$0.01"),
        ("0.015", "$0.02"),
        ("0.025", "$0.02"),
        ("1234.565", "$1,234.56"),
        ("-1234.5", "−$1,234.50"),
        ("1e12", "$1,000,000,000,000.00"),
    ],
)
def test_dollars_are_rounded_half_even_and_a_little_is_not_nothing(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0.00"), ("0.0036751000", "$0.0036751"), ("-12.5", "−$12.50"), ("1E+3", "$1,000.00"), ("7", "$7.00")],
)
def test_exact_dollars_have_all_digits_and_at_least_cents(amount: str, text: str) -> None:
    assert exact_dollars(Decimal(amount)) == text


@given(amount=AMOUNTS)
def test_exact_dollars_can_be_read_back(amount: Decimal) -> None:
    text = exact_dollars(amount).replace("$", "").replace(",", "").replace("−", "-")
    assert Decimal(text) == amount


@given(amount=AMOUNTS)
def test_shown_dollars_are_the_cents_of_the_amount(amount: Decimal) -> None:
    text = dollars(amount)
    if "<" not in text:
        assert Decimal(text.replace("$", "").replace(",", "").replace("−", "-")) == to_cents(amount)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0"), ("60", "$60"), ("0.0020", "$0.002"), ("1500", "$1,500"), ("15000", "$15k"), ("-20000", "−$20k")],
)
def test_axis_dollars_are_as_short_as_can_be(amount: str, text: str) -> None:
    assert axis_dollars(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "line_item", "text"),
    [
        (128_000_000, LineItem.INPUT, "128M tokens"),
        (1, LineItem.IMAGE, "1 image"),
        (2_500, LineItem.REQUEST, "2,500 requests"),
        (129_600, LineItem.SECOND, "36.0 hours"),
        (1, LineItem.SECOND, "1 second"),
        (207_435, LineItem.OUTPUT, "207k tokens"),
        (59, LineItem.SECOND, "59 seconds"),
        (1_500_000, LineItem.BYTE_DAY, "1.50 MB-days"),
    ],
)
def test_quantities_are_told_in_their_units(amount: int, line_item: LineItem, text: str) -> None:
    assert quantity(Decimal(amount), line_item) == text
