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
from billing.prices.book import PACKAGE, RELEASE, DefaultPrice, at_provider, default_prices, find
from billing.prices.rerating import Terms
from billing.waiting import ProviderPriceSource
from metering.models import Model, PriceWord

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
        for provider, word in _providers_of(model):
            yield from _differences(model, at_provider(model.name, word), provider)


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
    ProviderPriceSource.objects.exclude(release=RELEASE).update(release=RELEASE)


def _providers_of(model: Model) -> list[tuple[int, str]]:
    """Numbers and words of the providers that the model was looked up at."""
    asked = ProviderPriceSource.objects.filter(model=model).values("provider")
    return list(PriceWord.objects.filter(pk__in=asked).order_by("word").values_list("pk", "word"))


def _differences(model: Model, listed: Iterable[DefaultPrice], provider: int | None = None) -> Iterator[Difference]:
    rows = Price.objects.filter(model=model, organization=None, provider=provider, region=None)
    book = {_scope(price): price for price in rows}
    for price in listed:
        own = book.get(_scope(price))
        if own is None or own.unit_price != price.unit_price:
            yield Difference(
                terms=Terms(
                    model=model,
                    provider=provider,
                    **price.scope,
                    unit_price=price.unit_price,
                ),
                is_in_book=own is not None,
                book_price=own.unit_price if own else None,
                source=price.source,
                is_kept=own is not None and not own.source.startswith(PACKAGE),
            )


def _scope(price: Price | DefaultPrice) -> tuple[object, ...]:
    if isinstance(price, DefaultPrice):
        return tuple(price.scope.values())
    special = price.service_tier, price.batch, price.speed
    return price.line_item, price.usage_type, *special, price.context_band, price.effective_date
