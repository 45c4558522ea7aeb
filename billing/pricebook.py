"""The price book: default prices from the `genai-prices` package, with the dates from which they hold.

A model is looked up when it is first rated. What the package does not list stays unpriced, in sight, until someone
prices it. Prices are per single unit, exact to 10⁻¹² dollar.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from typing import Final

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from billing.models import LineItem, Price, PriceSource
from metering.measures import CONTEXT_BANDS, UsageType
from metering.models import Model

RELEASE: Final = f"genai-prices {version('genai-prices')}"
FIRST_DATE: Final = date(2000, 1, 1)
"""From when a price holds that the package gives without a start."""
NAMED_PROVIDERS: Final = ("openai",)
"""Asked by name when the model's name alone says nothing to the package: OpenAI's embeddings, for example."""
SMALLEST_STEP: Final = Decimal("1e-12")
THOUSAND: Final = 1_000
MILLION: Final = 1_000_000
SECONDS_PER_HOUR: Final = 3600

# line item → the package's price keys in the order in which they apply, and how many units that price is for. Parts
# without a price of their own cost what the whole costs, as in the package.
SOURCES: Final[dict[LineItem, tuple[tuple[str, int], ...]]] = {
    LineItem.INPUT: (("input_mtok", MILLION),),
    LineItem.CACHED_INPUT: (("cache_read_mtok", MILLION), ("input_mtok", MILLION)),
    LineItem.CACHE_WRITE: (("cache_write_mtok", MILLION), ("input_mtok", MILLION)),
    LineItem.AUDIO_INPUT: (("input_audio_mtok", MILLION), ("input_mtok", MILLION)),
    LineItem.OUTPUT: (("output_mtok", MILLION),),
    LineItem.AUDIO_OUTPUT: (("output_audio_mtok", MILLION), ("output_mtok", MILLION)),
    LineItem.REQUEST: (("requests_kcount", THOUSAND),),
    LineItem.SECOND: (("audio_hours", SECONDS_PER_HOUR), ("input_audio_hours", SECONDS_PER_HOUR)),
    LineItem.CHARACTER: (("input_mchars", MILLION),),
}
# Calls that the package prices per model, and that events report as usage types of their own.
CALL_SOURCES: Final = {
    UsageType.WEB_SEARCH_CALLS: "web_searches_kcount",
    UsageType.FILE_SEARCH_CALLS: "storage_searches_kcount",
}
TOKEN_ITEMS: Final = (
    LineItem.INPUT,
    LineItem.CACHED_INPUT,
    LineItem.CACHE_WRITE,
    LineItem.AUDIO_INPUT,
    LineItem.OUTPUT,
    LineItem.AUDIO_OUTPUT,
)
UNIT_ITEMS: Final = (LineItem.IMAGE, LineItem.SECOND, LineItem.CHARACTER)


Scope = tuple[LineItem, int, UsageType | None]


@dataclass(frozen=True, slots=True)
class DefaultPrice:
    """One price of the package in the terms of our book; without `unit_price`, the end of an earlier one."""

    line_item: LineItem
    context_band: int
    effective_date: date
    unit_price: Decimal | None
    usage_type: UsageType | None = None

    @property
    def scope(self) -> Scope:
        return self.line_item, self.context_band, self.usage_type


def price_new_models() -> None:
    """Look up every model that was not looked up before, and add the prices that the package lists for it."""
    for model in Model.objects.filter(price_source__isnull=True).order_by("id"):
        add_default_prices(model)


def add_default_prices(model: Model) -> None:
    """Add the package's prices of this model to the book, and note that it was looked up. Prices that exist stay."""
    found = find(model.name)
    PriceSource.objects.create(
        model=model,
        release=RELEASE,
        provider=found[0] if found else "",
        provider_model=found[1].id[:128] if found else "",
    )
    if found:
        Price.objects.bulk_create(
            [
                Price(
                    model=model,
                    line_item=price.line_item,
                    usage_type=price.usage_type,
                    context_band=price.context_band,
                    effective_date=price.effective_date,
                    unit_price=price.unit_price,
                    source=RELEASE,
                )
                for price in default_prices(found[1])
            ],
            ignore_conflicts=True,
        )


def find(model_name: str) -> tuple[str, ModelInfo] | None:
    """(provider id, model) of the package's entry for a model name as the API reports it; None if it has none."""
    for provider_id in (None, *NAMED_PROVIDERS):
        try:
            provider, model = get_snapshot().find_provider_model(model_name, None, provider_id, None)
        except LookupError:
            continue
        return provider.id, model
    return None


def default_prices(model: ModelInfo) -> list[DefaultPrice]:
    """Every price of the package's entry. Prices by the time of day cannot be told from daily usage and are left out.

    A dated list replaces the one before it as a whole: what it does not hold any more (long contexts that now cost the
    same, say) ends when it begins.
    """
    conditional = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    prices: list[DefaultPrice] = []
    in_force: set[Scope] = set()
    for entry in conditional:
        if entry.constraint is None or isinstance(entry.constraint, StartDateConstraint):
            start = entry.constraint.start_date if entry.constraint else FIRST_DATE
            begun = list(_prices_from(entry.prices, start))
            ended = in_force - {price.scope for price in begun}
            prices += begun
            prices += [DefaultPrice(item, band, start, None, usage_type) for item, band, usage_type in ended]
            in_force = {price.scope for price in begun}
    return prices + _uncharged({price.line_item for price in prices})


def _prices_from(prices: ModelPrice, start: date) -> Iterator[DefaultPrice]:
    listed = prices.__dict__
    for line_item, sources in SOURCES.items():
        for key, per in sources:
            if (price := listed.get(key)) is not None:
                for band, amount in _bands(price):
                    yield DefaultPrice(line_item, band, start, _per_unit(amount, per))
                break
    for usage_type, key in CALL_SOURCES.items():
        if (price := listed.get(key)) is not None:
            yield DefaultPrice(LineItem.REQUEST, 0, start, _per_unit(price, THOUSAND), usage_type)


def _uncharged(priced: set[LineItem]) -> list[DefaultPrice]:
    """Explicit zeros for what the provider counts but charges otherwise: images of a model that is charged by the token,
    or tokens of one that is charged by the second. Without them that usage would read as unpriced.
    """
    by_token, by_unit = not priced.isdisjoint(TOKEN_ITEMS), not priced.isdisjoint(UNIT_ITEMS)
    free = UNIT_ITEMS if by_token and not by_unit else TOKEN_ITEMS if by_unit and not by_token else ()
    return [DefaultPrice(line_item, 0, FIRST_DATE, Decimal(0)) for line_item in free]


def _per_unit(price: Decimal, per: int) -> Decimal:
    return (price / per).quantize(SMALLEST_STEP)


def _bands(price: Decimal | TieredPrices) -> Iterator[tuple[int, Decimal]]:
    """(context band, price) pairs; a threshold that events are not told apart by would be wrong in silence."""
    if isinstance(price, Decimal):
        yield 0, price
        return
    yield 0, price.base
    for tier in price.tiers:
        if tier.start not in CONTEXT_BANDS:
            raise ValueError(f"CONTEXT_BANDS lacks the threshold {tier.start}.")
        yield tier.start, tier.price
