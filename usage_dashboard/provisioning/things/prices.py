"""Prices of an organization's own, as the lines of organizations say them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from accounts.audit.audit import Actor
from accounts.models import Organization
from billing.models import LineItem, Price
from billing.prices.rerating import PriceRefusedError, Terms, change_price
from metering import price_words, service_tiers
from metering.measures import UsageType
from metering.models import Model
from metering.price_words import Dimension
from usage_dashboard.provisioning.lines import Act, RefusedError
from usage_dashboard.provisioning.shapes import ProvisionedPrice

LINE_ITEMS: Final = {item.label: item for item in LineItem}
USAGE_TYPES: Final = {usage_type.label: usage_type for usage_type in UsageType}
SCOPE: Final = ("line_item", "usage_type", "service_tier", "batch", "provider", "speed", "region", "context_band")
SOURCE: Final = "provisioning API"
Key = tuple[object, ...]


@dataclass(frozen=True)
class Known:
    """What is in the book for some organizations, and the numbers of words."""

    prices: Mapping[Key, Price]
    models: Mapping[str, Model]
    words: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, organizations: Iterable[Organization], wanted: Iterable[Sequence[Mapping[str, Any]]]) -> "Known":
        """Nothing is asked where no line has prices."""
        named = {price["model"] for prices in wanted for price in prices}
        if not named:
            return cls({}, {}, {})
        rows = Price.objects.filter(organization__in=[one.pk for one in organizations], model__name__in=named)
        rows = rows.select_related("organization", "model")
        words = {
            "service_tier": service_tiers.names(),
            **{dimension.label: price_words.names(dimension) for dimension in Dimension},
        }
        return cls(
            {_key(row): row for row in rows},
            {model.name: model for model in Model.objects.filter(name__in=named)},
            {name: {str(word): number for number, word in found.items()} for name, found in words.items()},
        )

    def number_of(self, name: str, word: str | None) -> int | None:
        """Raises RefusedError for a word that no event has said."""
        if word is None:
            return None
        number = self.words[name].get(word)
        if number is None:
            raise RefusedError("unknown_reference", f"No usage has the {name} “{word}”.", param=f"prices.{name}")
        return number


def acts(organization: Organization, prices: Sequence[Mapping[str, Any]], known: Known) -> list[Act]:
    """A change for each price that the book does not have like this. Raises RefusedError."""
    wanted = [_terms(organization, price, known) for price in prices]
    return [_act(terms) for terms in wanted if not _is_there(terms, known)]


def shown(organizations: Sequence[Organization]) -> dict[int, list[ProvisionedPrice]]:
    """The own prices of these organizations as they are answered, by organization."""
    rows = Price.objects.filter(organization__in=[one.pk for one in organizations]).select_related("model")
    found: dict[int, list[ProvisionedPrice]] = {}
    tiers, words = service_tiers.names(), price_words.names()
    for row in rows.order_by("model__name", "line_item", "effective_date", "id"):
        assert row.organization_id is not None
        found.setdefault(row.organization_id, []).append(
            {
                "model": row.model.name,
                "line_item": LineItem(row.line_item).label,
                "unit_price": row.unit_price,
                "effective_date": row.effective_date,
                "usage_type": UsageType(row.usage_type).label if row.usage_type is not None else None,
                "service_tier": tiers.get(row.service_tier) if row.service_tier is not None else None,
                "batch": row.batch,
                "provider": words.get(row.provider) if row.provider is not None else None,
                "speed": words.get(row.speed) if row.speed is not None else None,
                "region": words.get(row.region) if row.region is not None else None,
                "context_band": row.context_band,
            }
        )
    return found


def _terms(organization: Organization, price: Mapping[str, Any], known: Known) -> Terms:
    unit_price = price["unit_price"]
    usage_type = price["usage_type"]
    try:
        return Terms(
            model=known.models.get(price["model"]) or Model(name=price["model"]),
            line_item=LINE_ITEMS[price["line_item"]],
            effective_date=price["effective_date"],
            unit_price=None if unit_price is None else unit_price / price["per"],
            organization=organization,
            usage_type=None if usage_type is None else USAGE_TYPES[usage_type],
            service_tier=known.number_of("service_tier", price["service_tier"]),
            batch=price["batch"],
            **{name: known.number_of(name, price[name]) for name in price_words.DIMENSIONS},
            context_band=price["context_band"],
        )
    except PriceRefusedError as error:
        raise RefusedError("invalid_price", str(error), param="prices") from error


def _key(row: Price | Terms) -> Key:
    """What has one price at a time, from its day on."""
    organization_id = row.organization.pk if row.organization else None
    return (organization_id, row.model.name, *(getattr(row, name) for name in SCOPE), row.effective_date)


def _is_there(terms: Terms, known: Known) -> bool:
    row = known.prices.get(_key(terms))
    return row is not None and row.unit_price == terms.unit_price


def _act(terms: Terms) -> Act:
    def change(_now: datetime, actor: Actor) -> None:
        change_price(terms, actor=actor, source=SOURCE)

    return change
