"""What a month will cost at its end, from the weekdays of the last four weeks. Pure.

The level of the last two weeks (their cost, divided by the shares of their weekdays) is carried on over the days that are
left, each with the share of its weekday. The range is meant to hold in four of five months: it grows with how far recent
days were from what this rule says for them (each day that is left, and the level that so few days tell), and with a drift
of the level that two weeks cannot show. docs/metrics.md reports how well that went.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from accounts.periods import Period
from billing.money import to_cents

WINDOW_DAYS: Final = 28
LEVEL_DAYS: Final = 14
LEAST_DAYS: Final = 3
WEEK: Final = 7
SPREAD: Final = Decimal("1.28")
"""Standard deviations to either side that hold four fifths of a normal distribution."""
DRIFT: Final = Decimal("0.05")
"""How far the level may move by the end of the month, as a share of what is still to come."""
ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


@dataclass(frozen=True)
class Forecast:
    """The month's cost at its end, in dollars: expected, and a range that is meant to hold four times of five."""

    low: Decimal
    expected: Decimal
    high: Decimal


def forecast(costs: Mapping[date, Decimal], month: Period, today: date) -> Forecast | None:
    """The forecast of the month that holds `today`, from what each UTC day has cost; days that are not named cost nothing.

    Today is not over: it counts with what it has cost so far or with what is expected of it, whichever is more. None for
    another month, and where there are fewer than three days of history to go by.
    """
    history = _history(costs, today)
    if today not in month or len(history) < LEAST_DAYS:
        return None
    shares = _weekday_shares(history)
    recent = list(history)[-LEVEL_DAYS:]
    level = max(
        ZERO, sum(map(history.__getitem__, recent), ZERO) / sum((shares[day.weekday()] for day in recent), ZERO)
    )
    spent = sum((costs.get(day, ZERO) for day in month.days() if day < today), ZERO)
    so_far = costs.get(today, ZERO)
    days_left = [today + timedelta(days=n) for n in range((month.end - today).days)]
    to_come = [level * shares[day.weekday()] for day in days_left]
    to_come[0] = max(to_come[0], so_far)
    rest = sum(to_come, ZERO)
    num_left = Decimal(len(days_left))
    uncertain_days = (num_left + num_left * num_left / len(recent)).sqrt()
    reach = SPREAD * _deviation(history, level, shares) * uncertain_days + DRIFT * rest
    known = spent + max(so_far, ZERO)
    return Forecast(
        low=to_cents(max(known, spent + rest - reach)),
        expected=to_cents(spent + rest),
        high=to_cents(spent + rest + reach),
    )


def _history(costs: Mapping[date, Decimal], today: date) -> dict[date, Decimal]:
    """The whole days of the window before today, from the first one that cost anything."""
    window = [today - timedelta(days=n) for n in range(WINDOW_DAYS, 0, -1)]
    first = next((day for day in window if costs.get(day, ZERO)), today)
    return {day: costs.get(day, ZERO) for day in window if day >= first}


def _weekday_shares(history: Mapping[date, Decimal]) -> dict[int, Decimal]:
    """Weekday → its cost as a share of the mean day. All alike until there are two whole weeks to tell them by.

    Each share is drawn half a day towards the mean, so that one odd day among two does not make a weekday.
    """
    mean = sum(history.values(), ZERO) / len(history)
    if len(history) < 2 * WEEK or mean <= 0:
        return dict.fromkeys(range(WEEK), ONE)
    shares = {}
    for weekday in range(WEEK):
        own = [cost for day, cost in history.items() if day.weekday() == weekday]
        shares[weekday] = max((sum(own, ZERO) + mean / 2) / (len(own) + ONE / 2) / mean, ONE / 100)
    return shares


def _deviation(history: Mapping[date, Decimal], level: Decimal, shares: Mapping[int, Decimal]) -> Decimal:
    """The standard deviation of a day from what the rule says for it."""
    squares = [(cost - level * shares[day.weekday()]) ** 2 for day, cost in history.items()]
    return (sum(squares, ZERO) / len(squares)).sqrt()
