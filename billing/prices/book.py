"""The price book: default prices from the `genai-prices` package, with the dates from which they hold.

A model is looked up when it was first used (`new_models`). What the package does not list stays unpriced, in sight, until
someone prices it. Prices are per single unit, exact to 10⁻¹² dollar.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from billing.line_items import TOKENS
from billing.models import LineItem, Price, PriceSource
from billing.prices import price_list
from billing.prices.price_list import Entry
from billing.waiting import ProviderPriceSource
from metering.intake.sources.names import provider_of
from metering.measures import CONTEXT_BANDS, ServiceTier, UsageType
from metering.models import Model
from metering.price_words import BUILT_IN, FAST

PACKAGE: Final = "genai-prices"
RELEASE: Final = f"{PACKAGE} {version(PACKAGE)}"
FIRST_DATE: Final = date(2000, 1, 1)
"""From when a price holds that the package gives without a start."""
FREE: Final = ":free"
"""How names end that OpenRouter serves for nothing; the package lists them without a price."""
INCLUDED: Final = ", in another unit"
"""How the source of a price ends that is 0 because the model is charged in another unit of the same event."""
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
    LineItem.LONG_CACHE_WRITE: (
        ("cache_write_1h_mtok", MILLION),
        ("cache_write_mtok", MILLION),
        ("input_mtok", MILLION),
    ),
    LineItem.IMAGE_INPUT: (("input_image_mtok", MILLION), ("input_mtok", MILLION)),
    LineItem.VIDEO_INPUT: (("input_video_mtok", MILLION), ("input_mtok", MILLION)),
    LineItem.IMAGE_OUTPUT: (("output_image_mtok", MILLION), ("output_mtok", MILLION)),
    LineItem.REQUEST: (("requests_kcount", THOUSAND),),
    LineItem.SECOND: (("audio_hours", SECONDS_PER_HOUR), ("input_audio_hours", SECONDS_PER_HOUR)),
    LineItem.CHARACTER: (("input_mchars", MILLION),),
}
# What the package prices apart and events tell by their usage type: calls that they report as types of their own, and the
# output of image requests, which is images unless an event says which of it is.
TYPE_SOURCES: Final[dict[tuple[LineItem, UsageType], tuple[str, int]]] = {
    (LineItem.REQUEST, UsageType.WEB_SEARCH_CALLS): ("web_searches_kcount", THOUSAND),
    (LineItem.REQUEST, UsageType.FILE_SEARCH_CALLS): ("storage_searches_kcount", THOUSAND),
    (LineItem.OUTPUT, UsageType.IMAGES): ("output_image_mtok", MILLION),
}
UNIT_ITEMS: Final = (LineItem.IMAGE, LineItem.SECOND, LineItem.CHARACTER)


class Special(NamedTuple):
    """What requests have a price of their own: None is all of them."""

    service_tier: ServiceTier | None = None
    batch: bool | None = None
    speed: int | None = None


EVERY: Final = Special()
# What a price may depend on beside the model, as the package's request context says it. The first is every request.
CONTEXTS: Final[tuple[tuple[Special, dict[str, str]], ...]] = (
    (EVERY, {}),
    (Special(batch=True), {"processing": "batch"}),
    *((Special(tier), {"service_tier": str(tier.label)}) for tier in ServiceTier if tier != ServiceTier.DEFAULT),
    (Special(speed=FAST), {"speed": BUILT_IN[FAST]}),
)
HALF_HOURS: Final = tuple(time(hour, minute) for hour in range(24) for minute in (0, 30))
Scope = tuple[LineItem, int, UsageType | None]
Prices = dict[Scope, Decimal]


@dataclass(frozen=True, slots=True)
class DefaultPrice:
    """One price of the package in the terms of our book; without `unit_price`, the end of an earlier one."""

    line_item: LineItem
    context_band: int
    effective_date: date
    unit_price: Decimal | None
    usage_type: UsageType | None = None
    special: Special = EVERY
    is_included: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it holds for every request, of whatever size."""
        return self.usage_type is None and self.special == EVERY and self.context_band == 0

    @property
    def scope(self) -> dict[str, Any]:
        """The fields of a row of the book, beside its model, that have one price at a time."""
        return {
            "line_item": self.line_item,
            "usage_type": self.usage_type,
            **self.special._asdict(),
            "context_band": self.context_band,
            "effective_date": self.effective_date,
        }

    @property
    def source(self) -> str:
        """What the book says of where the price comes from."""
        return f"{RELEASE}{INCLUDED}" if self.is_included else RELEASE


@dataclass(frozen=True, slots=True)
class Listing:
    """What the package has for a model's name; nothing where it does not list it."""

    provider: str = ""
    provider_model: str = ""
    prices: tuple[DefaultPrice, ...] = ()

    def price_on(self, day: date, line_item: LineItem) -> Decimal | None:
        """What a unit costs on that day, in every request of a short context."""
        begun = [
            price
            for price in self.prices
            if price.line_item == line_item and price.effective_date <= day and price.is_plain and not price.is_included
        ]
        return max(begun, key=lambda price: price.effective_date).unit_price if begun else None


_listings: dict[int, tuple[ModelInfo, Listing]] = {}


def look_up(model_name: str, provider_id: str = "") -> Listing:
    """The package's prices for a model name as the API reports it, with one seller if it is known."""
    found = find(model_name, provider_id)
    return listing_of(found) if found else Listing()


def add(found: Iterable[tuple[Model, Listing]]) -> None:
    """Add these prices to the book, and note that the models were looked up. Prices that exist stay."""
    listings = {model.pk: listing for model, listing in found}
    new = listings.keys() - set(PriceSource.objects.filter(model__in=listings).values_list("model", flat=True))
    PriceSource.objects.bulk_create(
        PriceSource(
            model_id=model_id,
            release=RELEASE,
            provider=listings[model_id].provider,
            provider_model=listings[model_id].provider_model[:128],
        )
        for model_id in sorted(new)
    )
    _add_prices((model_id, None, listings[model_id].prices) for model_id in sorted(new))


def add_of_providers(models: Iterable[tuple[Model, int, str]]) -> None:
    """Add what these models cost at these providers (number, word), where the package knows that it is another price than the
    model's in general. Prices that exist stay."""
    asked = {(model.pk, provider): (model, word) for model, provider, word in models}
    known = ProviderPriceSource.objects.filter(model__in={model_id for model_id, _ in asked})
    new = sorted(asked.keys() - set(known.values_list("model", "provider")))
    ProviderPriceSource.objects.bulk_create(
        ProviderPriceSource(model_id=model_id, provider=provider, release=RELEASE) for model_id, provider in new
    )
    _add_prices((*key, at_provider(asked[key][0].name, asked[key][1])) for key in new)


def at_provider(model_name: str, word: str) -> tuple[DefaultPrice, ...]:
    """The prices of a model at a provider, in the words of an event; nothing if they are those of the model in general, or the
    package does not know that the provider has it. Then it costs what the model costs in general."""
    found, general = find(model_name, provider_of(word)), find(model_name)
    if found is None or found == general:
        return ()
    prices = listing_of(found).prices
    requests = [DefaultPrice(LineItem.REQUEST, 0, FIRST_DATE, Decimal(0))] if general and prices else []
    is_by_request = [
        any(price.line_item == LineItem.REQUEST and price.is_plain for price in listed)
        for listed in (prices, listing_of(general).prices if general else ())
    ]
    return (*prices, *requests) if is_by_request == [False, True] else prices


def _add_prices(found: Iterable[tuple[int, int | None, Iterable[DefaultPrice]]]) -> None:
    """(model, provider, prices) as rows of the book."""
    Price.objects.bulk_create(
        [
            Price(model_id=model_id, provider=provider, **price.scope, unit_price=price.unit_price, source=price.source)
            for model_id, provider, prices in found
            for price in prices
        ],
        ignore_conflicts=True,
    )


def listing_of(entry: Entry) -> Listing:
    """Remembered for the life of the process, as the package's entries are: thousands of names may lead to one entry."""
    provider, model = entry
    if id(model) not in _listings:
        _listings[id(model)] = (model, Listing(provider.id, model.id, tuple(default_prices(model))))
    return _listings[id(model)][1]


def find(model_name: str, provider_id: str = "") -> Entry | None:
    """The package's entry for a model name as the API reports it; None if it has none, or none without knowing who sells it."""
    if provider_id:
        return price_list.find_of(model_name, provider_id)
    if found := price_list.inferred(model_name):
        return found
    possible = [entry for entry in price_list.possible(model_name) if listing_of(entry).prices]
    different = {listing_of(entry).prices for entry in possible}
    return possible[0] if len(different) == 1 else None


def candidates(model_name: str) -> list[Listing]:
    """The sellers of a model that has no price because they sell it differently and its name says none of them."""
    if find(model_name):
        return []
    return [listing for entry in price_list.possible(model_name) if (listing := listing_of(entry)).prices]


def default_prices(model: ModelInfo) -> list[DefaultPrice]:
    """Every price of the package's entry, and where batches or service tiers have prices of their own, those too.

    Daily usage cannot be told apart by the time of day: of prices that depend on it, the one that holds for the longest
    part of the day counts. A price that the package does not list any more from some day on ends then.
    """
    prices = [DefaultPrice(item, 0, FIRST_DATE, Decimal(0)) for item in TOKENS if model.id.endswith(FREE)]
    starts = _start_dates(model)
    general = {start: _prices_of_day(model, start, {}) for start in starts}
    for special, context in CONTEXTS:
        in_force: Prices = {}
        for start in starts:
            listed = general[start] if not context else _own(_prices_of_day(model, start, context), general[start])
            changed = {scope: price for scope, price in listed.items() if in_force.get(scope) != price}
            ended: dict[Scope, None] = dict.fromkeys(in_force.keys() - listed.keys())
            for (line_item, band, usage_type), price in {**changed, **ended}.items():
                prices.append(DefaultPrice(line_item, band, start, price, usage_type, special))
            in_force = listed
    return prices + _uncharged({price.line_item for price in prices})


def _start_dates(model: ModelInfo) -> list[date]:
    """The days on which a price of the package's entry begins, and the first day of all."""
    entries = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    dates = {entry.constraint.start_date for entry in entries if isinstance(entry.constraint, StartDateConstraint)}
    return [FIRST_DATE, *sorted(dates)]


def _prices_of_day(model: ModelInfo, day: date, context: dict[str, str]) -> Prices:
    """What the package charges such requests for the longest part of the UTC day."""
    entries = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    has_times = any(isinstance(entry.constraint, TimeOfDateConstraint) for entry in entries)
    moments = [datetime.combine(day, at, UTC) for at in (HALF_HOURS if has_times else HALF_HOURS[:1])]
    found = [model.get_prices(moment, context) for moment in moments]
    return dict(_listed(max(found, key=found.count)))


def _own(prices: Prices, general: Prices) -> Prices:
    """The prices of the parts that such requests pay otherwise than all; with all sizes of context, if one differs."""
    different = {
        (item, usage_type)
        for item, band, usage_type in {*prices, *general}
        if prices.get((item, band, usage_type)) != general.get((item, band, usage_type))
    }
    return {scope: price for scope, price in prices.items() if (scope[0], scope[2]) in different}


def _listed(prices: ModelPrice) -> Iterator[tuple[Scope, Decimal]]:
    listed = prices.__dict__
    for line_item, sources in SOURCES.items():
        for key, per in sources:
            if (price := listed.get(key)) is not None:
                for band, amount in _bands(price):
                    yield (line_item, band, None), _per_unit(amount, per)
                break
    for (line_item, usage_type), (key, per) in TYPE_SOURCES.items():
        if (price := listed.get(key)) is not None:
            for band, amount in _bands(price):
                yield (line_item, band, usage_type), _per_unit(amount, per)


def _uncharged(priced: set[LineItem]) -> list[DefaultPrice]:
    """Explicit zeros for what the provider counts but charges otherwise: images of a model that is charged by the token,
    or tokens of one that is charged by the second. They hold for events that report both; without the charged unit there
    is no price.
    """
    by_token, by_unit = not priced.isdisjoint(TOKENS), not priced.isdisjoint(UNIT_ITEMS)
    free = UNIT_ITEMS if by_token and not by_unit else TOKENS if by_unit and not by_token else ()
    return [DefaultPrice(line_item, 0, FIRST_DATE, Decimal(0), is_included=True) for line_item in free]


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
