"""A forecast as people read it: no more digits than a guess has."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from billing.budgets.forecast import Forecast
from billing.display import dollars
from billing.money import CENT

STEPS_IN_RANGE: Final = 4
"""The range is at least so many steps of the last digit that is shown."""


@dataclass(frozen=True)
class ForecastText:
    """What the month is expected to cost at its end, and the range that is meant to hold four times of five."""

    expected: str
    low: str
    high: str


def forecast_text(found: Forecast, spent: Decimal) -> ForecastText:
    """'$1,930' and '$1,900' to '$1,960', never less than what is spent already, `spent`."""
    step = _step(found.high - found.low)
    low = _rounded(found.low, step)
    low = low if low >= spent else low + step
    expected = max(_rounded(found.expected, step), low)
    high = max(_rounded(found.high, step), expected)
    return ForecastText(*(_text(amount, step) for amount in (expected, low, high)))


def _step(width: Decimal) -> Decimal:
    """A power of ten, a cent at least."""
    return max(CENT, Decimal(10) ** (width / STEPS_IN_RANGE).adjusted() if width > 0 else CENT)


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).quantize(Decimal(1), ROUND_HALF_EVEN) * step


def _text(amount: Decimal, step: Decimal) -> str:
    text = dollars(amount)
    return text.removesuffix(".00") if step >= 1 else text
