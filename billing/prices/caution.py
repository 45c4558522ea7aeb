"""Whether a change of a price is so large that it looks like a slip of the unit or of a digit, and is to be typed again."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from django.db.models import F

from billing import display
from billing.line_items import UNITS_OF_A_PRICE
from billing.models import Price
from billing.prices.rating import SCOPE
from billing.prices.rerating import Effect, Terms, rows_of_scope

MAX_FACTOR: Final = 20
MAX_FIRST_PRICE: Final = 1_000  # dollars, in the usual unit
MIN_EFFECT: Final = 1_000  # dollars, below which no effect is out of proportion
NO_PRICE: Final = "end"


@dataclass(frozen=True)
class Caution:
    """Why the change looks like a slip, and what is to be typed: the price in the usual unit, or `end` for none."""

    reasons: tuple[str, ...]
    to_type: str

    def is_met_by(self, typed: str) -> bool:
        """Dollar signs, separators and zeros at the end are as one likes."""
        plain = typed.strip().removeprefix("$").replace(",", "")
        if self.to_type == NO_PRICE:
            return plain.lower() == NO_PRICE
        try:
            return Decimal(plain) == Decimal(self.to_type.replace(",", ""))
        except InvalidOperation:
            return False


def caution(terms: Terms, effect: Effect) -> Caution | None:
    """None for a change of ordinary size."""
    reasons = tuple(reason for reason in (_of_price(terms), _of_effect(effect)) if reason)
    if not reasons:
        return None
    if terms.unit_price is None:
        return Caution(reasons, NO_PRICE)
    usual = terms.unit_price * UNITS_OF_A_PRICE[terms.line_item]
    return Caution(reasons, display.exact_dollars(usual).removeprefix("$"))


def price_before(terms: Terms) -> Decimal | None:
    """What a unit cost until now: the latest price of the same scope, or else of the model and part for everybody."""
    if terms.model.pk is None:
        return None
    of_part = Price.objects.filter(model=terms.model, line_item=terms.line_item, organization__isnull=True)
    general_first = [F(name).asc(nulls_first=True) for name in SCOPE.split(", ")[::-1]]
    for rows in (rows_of_scope(terms), of_part.order_by(*general_first)):
        priced = rows.filter(effective_date__lte=terms.effective_date, unit_price__isnull=False)
        found = priced.order_by(*rows.query.order_by, "-effective_date").first()
        if found is not None:
            return found.unit_price
    return None


def _of_price(terms: Terms) -> str:
    new, before = terms.unit_price, price_before(terms)
    if new is None:
        return ""
    said = display.per_unit(new, terms.line_item)
    if before is None:
        is_high = new * UNITS_OF_A_PRICE[terms.line_item] > MAX_FIRST_PRICE
        return f"{said} is unusually high for the first price of this model and part." if is_high else ""
    said_before = display.per_unit(before, terms.line_item)
    if new > MAX_FACTOR * before:
        return f"{said} is {_times(new, before)} the price until now, {said_before}."
    if before > MAX_FACTOR * new:
        return f"The price until now, {said_before}, is {_times(before, new)} the new one, {said}."
    return ""


def _of_effect(effect: Effect) -> str:
    low, high = sorted((abs(effect.before), abs(effect.after)))
    if high - low <= MIN_EFFECT or high <= MAX_FACTOR * low:
        return ""
    return (
        f"Usage that is stored already would cost {display.dollars(effect.after)} instead of"
        f" {display.dollars(effect.before)}."
    )


def _times(high: Decimal, low: Decimal) -> str:
    return f"{high / low:,.0f} times" if low else "far more than"
