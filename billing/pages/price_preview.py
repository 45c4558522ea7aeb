"""What a change of a price would do, ready to be drawn, and whether it may be made as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing.display import dollars, per_unit
from billing.prices.caution import Caution, caution
from billing.prices.rerating import Effect, Terms
from metering.display import long_day

TYPE_IT: Final = "Type the amount as it is asked for, to show that it is meant."
CHANGED: Final = "The form was changed after the preview. This is what it says now."


@dataclass(frozen=True)
class AmountRow:
    """An organization or a day, and its costs before and after. `note` and `days` are of organizations."""

    name: str
    before: str
    after: str
    difference: str
    note: str = ""
    days: str = ""


@dataclass(frozen=True)
class PricePreview:
    """`refusal` says why the change cannot be made, `caution` what is to be typed before, `error` that it was not.

    `previewed` goes into the form, so that a change is never made with other terms than those that were looked at.
    """

    title: str
    price: str
    summary: str
    refusal: str
    organizations: tuple[AmountRow, ...]
    days: tuple[AmountRow, ...]
    caution: Caution | None
    previewed: str
    error: str = ""


def price_preview(terms: Terms, effect: Effect, sent: Mapping[str, str]) -> PricePreview:
    """`sent` is the form as it came. Where it confirms, and may not, `error` says why."""
    doubts = caution(terms, effect)
    return PricePreview(
        title=f"{terms} from {long_day(terms.effective_date)}",
        price="no price" if terms.unit_price is None else per_unit(terms.unit_price, terms.line_item),
        summary=_summary(effect),
        refusal=str(effect.refusal or ""),
        organizations=tuple(
            AmountRow(
                found.name,
                *_amounts(found.before, found.after),
                note="was unpriced" if found.had_unpriced else "",
                days=f"{found.num_days:,}, {long_day(found.first_day)} to {long_day(found.last_day)}",
            )
            for found in effect.organizations
        ),
        days=tuple(AmountRow(long_day(found.day), *_amounts(found.before, found.after)) for found in effect.days),
        caution=doubts,
        previewed=_fingerprint(terms),
        error=_error(terms, doubts, sent) if "confirm" in sent else "",
    )


def _error(terms: Terms, doubts: Caution | None, sent: Mapping[str, str]) -> str:
    if sent.get("previewed", _fingerprint(terms)) != _fingerprint(terms):
        return CHANGED
    return "" if doubts is None or doubts.is_met_by(sent.get("typed", "")) else TYPE_IT


def _fingerprint(terms: Terms) -> str:
    """What was previewed."""
    price = "" if terms.unit_price is None else f"{terms.unit_price.normalize():f}"
    return " | ".join(
        [str(terms), terms.organization.slug if terms.organization else "", str(terms.effective_date), price]
    )


def _summary(effect: Effect) -> str:
    if not effect.days:
        return "No existing usage is affected."
    num_days = len(effect.days)
    days = f"{num_days:,} day{'' if num_days == 1 else 's'}"
    return f"Usage of {days} costs {dollars(effect.after)} instead of {dollars(effect.before)}."


def _amounts(before: Decimal, after: Decimal) -> tuple[str, str, str]:
    return f"{before:,.4f}", f"{after:,.4f}", f"{after - before:,.4f}".replace("-", "−")
