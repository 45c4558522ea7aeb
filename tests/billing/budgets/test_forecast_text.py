"""A forecast is shown with the digits that it can vouch for, and never below what is spent."""

from decimal import Decimal

import pytest

from billing.budgets.forecast import Forecast
from billing.budgets.forecast_text import forecast_text


@pytest.mark.parametrize(
    ("forecast", "spent", "text"),
    [
        (("1904.35", "1934.20", "1964.27"), "1629.95", ("$1,930", "$1,900", "$1,960")),
        (("60.10", "62.69", "65.02"), "50", ("$63", "$60", "$65")),
        (("0.61", "0.65", "0.70"), "0.50", ("$0.65", "$0.61", "$0.70")),
        (("1634.95", "1650", "1700"), "1634.90", ("$1,650", "$1,640", "$1,700")),
        (("12.34", "12.34", "12.34"), "12.34", ("$12.34", "$12.34", "$12.34")),
    ],
)
def test_a_guess_has_no_cents(forecast: tuple[str, str, str], spent: str, text: tuple[str, str, str]) -> None:
    found = forecast_text(Forecast(*map(Decimal, forecast)), Decimal(spent))
    assert (found.expected, found.low, found.high) == text
