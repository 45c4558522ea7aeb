"""What the customers must have to pay, reckoned from their events and prices alone."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from tests.operator_day.customers import ITEMS, LIST, MILLION, OWN_MODEL, Customers, Event

CENT: Final = Decimal("0.01")


class Part(NamedTuple):
    """What an organization used in a UTC month of one part of a model."""

    organization: int
    month: str
    line_item: str


Costs = dict[Part, Decimal]


def costs_of(customers: Customers, events: Iterable[Event]) -> Costs:
    """What each part costs, exactly."""
    costs: Costs = defaultdict(Decimal)
    for event in events:
        organization = customers.organization_of_key(event.key)
        for item, tokens in zip(ITEMS, event.tokens, strict=True):
            part = Part(organization, f"{event.at:%Y-%m}", f"{event.model}, {item}")
            costs[part] += tokens * _price(customers, organization, event, item) / MILLION
    return costs


def invoice_of(customers: Customers, costs: Costs, payer: int, month: datetime) -> Decimal:
    """The total of a payer's invoice: each part rounded once, and then the tax."""
    family = customers.family(payer)
    parts = (cost for part, cost in costs.items() if part.organization in family and part.month == f"{month:%Y-%m}")
    subtotal = sum(map(_cents, parts), start=Decimal(0))
    return subtotal + _cents(subtotal * customers.tax_rate(payer))


def _price(customers: Customers, organization: int, event: Event, item: str) -> Decimal:
    """An organization's own price of that day, or else its payer's, or else the list's."""
    for owner in (organization, customers.payer(organization)):
        held = [
            price
            for start, priced, price in customers.own_prices(owner)
            if priced == item and event.model == OWN_MODEL and start <= event.at
        ]
        if held:
            return held[-1]
    return LIST[event.model][item]


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)
