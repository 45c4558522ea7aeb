"""What one of something cost: a request, 1,000 tokens, a value of an attribute; and what the cache saved."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from accounts.pages.words import counted, plural
from billing.cost.queries import Counted, Spending
from billing.display import dollars, exact_dollars, small_dollars
from metering.pages.parts import Asked

THOUSAND: Final = 1_000


@dataclass(frozen=True)
class UnitCost:
    """One line: what it is of, how much, and the exact amount or what it was divided by."""

    label: str
    amount: str
    title: str


def unit_costs(asked: Asked, spent: Spending) -> tuple[UnitCost, ...]:
    """Those that there are: nothing is divided by nothing, and nothing is saved without a cache."""
    found = [
        _each("Per request", spent.requests, 1, "request"),
        _each("Per 1,000 tokens", spent.tokens, THOUSAND, "token"),
        _each(f"Per {plural(asked.group.label, 1)}", spent.values, 1, asked.group.label),
    ]
    if spent.saved:
        title = f"{exact_dollars(spent.saved)}: tokens read from the cache, at the price of input less their own"
        found.append(UnitCost("Saved by the cache", dollars(spent.saved), title))
    return tuple(line for line in found if line is not None)


def _each(label: str, of: Counted, size: int, noun: str) -> UnitCost | None:
    if of.number <= 0 or not of.amount:
        return None
    amount = Decimal(of.amount * size / of.number)
    return UnitCost(
        label, small_dollars(amount), f"{exact_dollars(of.amount)} for {counted(of.number, noun)} with a price"
    )
