"""The default price list that is installed, against the price book: what differs, and the book brought up to it.

Rows that a person set are theirs: they are shown and left. So are prices that the list no longer names, because they were
charged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from accounts.audit.audit import Actor
from billing.models import Price, PriceChange, PriceSource
from billing.prices import rerating
from billing.prices.book import PACKAGE, RELEASE, DefaultPrice, default_prices, find
from billing.prices.rerating import Terms
from metering.models import Model

ACTOR: Final = Actor(name="sync_prices")


@dataclass(frozen=True)
class Difference:
    """The book's price and the list's, for one scope and day. `is_kept`: a person set it, so it stays."""

    terms: Terms
    is_in_book: bool
    book_price: Decimal | None
    is_kept: bool
    source: str = RELEASE

    @property
    def list_price(self) -> Decimal | None:
        return self.terms.unit_price


def differences() -> Iterator[Difference]:
    """Model by model, where the installed list has another price than the book for the same day, or one more."""
    for model in Model.objects.filter(price_source__isnull=False).order_by("name"):
        found = find(model.name)
        if found is not None:
            yield from _differences(model, default_prices(found[1]))


def apply(difference: Difference) -> PriceChange:
    """Bring the list's price into the book; the worker rates again what it changes.

    Raises ClosedMonthError where final invoices would change, and ValueError for a price that a person set.
    """
    if difference.is_kept:
        raise ValueError("A price that a person set is not overwritten.")
    return rerating.change_price(difference.terms, actor=ACTOR, source=difference.source)


def note_release() -> None:
    """Every model was compared with this release."""
    PriceSource.objects.exclude(release=RELEASE).update(release=RELEASE)


def _differences(model: Model, listed: Iterable[DefaultPrice]) -> Iterator[Difference]:
    book = {_scope(price): price for price in Price.objects.filter(model=model, organization__isnull=True)}
    for price in listed:
        own = book.get(_scope(price))
        if own is None or own.unit_price != price.unit_price:
            yield Difference(
                terms=Terms(
                    model=model,
                    line_item=price.line_item,
                    context_band=price.context_band,
                    effective_date=price.effective_date,
                    usage_type=price.usage_type,
                    service_tier=price.service_tier,
                    batch=price.batch,
                    unit_price=price.unit_price,
                ),
                is_in_book=own is not None,
                book_price=own.unit_price if own else None,
                source=price.source,
                is_kept=own is not None and not own.source.startswith(PACKAGE),
            )


def _scope(price: Price | DefaultPrice) -> tuple[object, ...]:
    return (
        price.line_item,
        price.context_band,
        price.effective_date,
        price.usage_type,
        price.service_tier,
        price.batch,
    )
