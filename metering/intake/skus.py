"""The dictionary of SKUs in this process's memory: all that a price can depend on → part of a row.

Rows of the dictionary are never changed or deleted, so what is remembered stays true.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from django.db import connection

from metering import price_words, service_tiers
from metering.intake import new_models
from metering.intake.copy_rows import sku_part
from metering.measures import CONTEXT_BANDS, ServiceTier, UsageType
from metering.price_words import NOT_SAID, Dimension


class SkuKey(NamedTuple):
    """Tier, provider, speed and region are numbers, or the words of those that this process does not know."""

    model: str
    usage_type: int
    service_tier: int | str = int(ServiceTier.DEFAULT)
    batch: bool = False
    provider: int | str = NOT_SAID
    speed: int | str = NOT_SAID
    region: int | str = NOT_SAID
    context_band: int = 0
    in_both_units: bool = False
    output_is_split: bool = False

    @property
    def said(self) -> "SaidOfSku":
        return self[:7]

    @property
    def has_numbers(self) -> bool:
        return not any(isinstance(word, str) for word in (self.service_tier, *self[4:7]))


SaidOfSku = tuple[str, int, int | str, bool, int | str, int | str, int | str]
"""What senders say of a SKU: all but the size of the context and the units, which follow from the measures."""
MAX_REMEMBERED = 200_000
SAID = "usage_type, service_tier, batch, provider, speed, region"
COUNTED = "context_band, in_both_units, output_is_split"

_parts: dict[SkuKey, bytes] = {}
plain_parts: dict[tuple[str, str | None, bool, str | None], bytes] = {}
"""(model, service tier as sent, batch, provider as sent) of completions with a short context and of no speed or region → the
part of a row that names their SKU. Words over the bound are not in it: there is no end of them."""


def context_band(input_tokens: int, num_model_requests: int) -> int:
    """The largest threshold of CONTEXT_BANDS that the input of one request exceeds, or 0.

    The input of a pre-summed event is its average per request.
    """
    size = input_tokens if num_model_requests <= 1 else -(-input_tokens // num_model_requests)
    position = bisect_left(CONTEXT_BANDS, size)
    return CONTEXT_BANDS[position - 1] if position else 0


class MissingError(Exception):
    """SKUs that this process does not know, and the organizations whose events are of each: to be given to `adopt`."""

    def __init__(self, organizations: Mapping[SkuKey, AbstractSet[int]]) -> None:
        super().__init__(organizations)
        self.organizations = organizations


def require(missing: Iterable[Mapping[SkuKey, AbstractSet[int]]]) -> None:
    """Raises MissingError if any SKU is missing anywhere."""
    organizations: dict[SkuKey, set[int]] = {}
    for of_one in missing:
        for key, organization_ids in of_one.items():
            organizations.setdefault(key, set()).update(organization_ids)
    if organizations:
        raise MissingError(organizations)


def adopt(organizations: Mapping[SkuKey, AbstractSet[int]]) -> set[tuple[int, str]]:
    """Look the SKUs up or add them, outside the transaction that asked for them, so that no other waits for its end.

    Returns (organization, model) of those models that are new and too many (`new_models`): their SKUs are not added.
    """
    wanted: dict[str, set[int]] = {}
    for (model, *_), organization_ids in organizations.items():
        wanted.setdefault(model, set()).update(organization_ids)
    refused = new_models.add(wanted)
    add(key for key in organizations if key[0] not in refused)
    return {(organization_id, model) for model in refused for organization_id in wanted[model]}


def part_of(key: SkuKey) -> bytes | None:
    """The part of a row that names this SKU; None if this process does not know the SKU."""
    return _parts.get(key)


def add(keys: Iterable[SkuKey]) -> dict[SkuKey, int]:
    """The ids of these SKUs, added to the dictionary where they are new. Not to be called inside a transaction."""
    if len(_parts) > MAX_REMEMBERED:
        _forget_parts()
    wanted = sorted(_with_numbers(set(keys)))
    found = _find_or_add(wanted) if wanted else {}
    for key, sku_id in found.items():
        _parts[key] = sku_part(sku_id)
        if key.usage_type == UsageType.COMPLETIONS and not (key.context_band or key.speed or key.region):
            plain_parts.update(
                ((key.model, tier, key.batch, provider), _parts[key])
                for tier in _tiers_as_sent(key)
                for provider in price_words.words_of(Dimension.PROVIDER, int(key.provider))
            )
    return found


def _with_numbers(keys: AbstractSet[SkuKey]) -> set[SkuKey]:
    """The keys with the numbers of their words, of which new ones are stored."""
    service_tiers.add(key.service_tier for key in keys if isinstance(key.service_tier, str))
    price_words.add(
        (dimension, word)
        for key in keys
        for dimension in Dimension
        if isinstance(word := getattr(key, dimension.label), str)
    )
    return {
        key._replace(
            service_tier=_tier_number(key.service_tier),
            provider=_number(Dimension.PROVIDER, key.provider),
            speed=_number(Dimension.SPEED, key.speed),
            region=_number(Dimension.REGION, key.region),
        )
        for key in keys
    }


def _tier_number(tier: int | str) -> int:
    number = service_tiers.number_of(tier) if isinstance(tier, str) else tier
    return service_tiers.OTHER if number is None else number


def _number(dimension: Dimension, word: int | str) -> int:
    number = price_words.number_of(dimension, word) if isinstance(word, str) else word
    return price_words.OTHER if number is None else number


def _tiers_as_sent(key: SkuKey) -> list[str | None]:
    """What an event may say to mean this tier."""
    words: list[str | None] = [*service_tiers.words_of(int(key.service_tier))]
    return [*words, None] if key.service_tier == ServiceTier.DEFAULT else words


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    _forget_parts()
    service_tiers.forget()
    price_words.forget()


def _forget_parts() -> None:
    _parts.clear()
    plain_parts.clear()


def _find_or_add(keys: list[SkuKey]) -> dict[SkuKey, int]:
    """Each row is looked up by its key (OFFSET): statistics know nothing of rows that came within the last minute."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    wanted = "unnest(%s::text[], %s::smallint[], %s::smallint[], %s::boolean[], %s::smallint[], %s::smallint[]"
    wanted += f", %s::smallint[], %s::integer[], %s::boolean[], %s::boolean[]) AS wanted (name, {SAID}, {COUNTED})"
    same = " AND ".join(f"sku.{name} = wanted.{name}" for name in (*SkuKey._fields[1:],))
    model = (
        "CROSS JOIN LATERAL (SELECT id FROM metering_model AS model WHERE model.name = wanted.name OFFSET 0) AS model"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_model (name) SELECT DISTINCT unnest(%s::text[]) ORDER BY 1 ON CONFLICT DO NOTHING",
            columns[:1],
        )
        cursor.execute(
            f"""
            INSERT INTO metering_sku (model_id, {SAID}, {COUNTED})
            SELECT model.id, {SAID}, {COUNTED} FROM {wanted} {model}
            ORDER BY model.id, {SAID}, {COUNTED} ON CONFLICT DO NOTHING
            """,
            columns,
        )
        cursor.execute(
            f"""
            SELECT name, {SAID}, {COUNTED}, sku.id
            FROM {wanted} {model}
            CROSS JOIN LATERAL (
                SELECT id FROM metering_sku AS sku
                WHERE sku.model_id = model.id AND {same}
                OFFSET 0
            ) AS sku
            """,
            columns,
        )
        return {SkuKey(*key): sku_id for *key, sku_id in cursor.fetchall()}
