"""The dictionary of SKUs in this process's memory: (model, usage type, service tier, batch, context band, whether
in both units) → part of a row.

Rows of the dictionary are never changed or deleted, so what is remembered stays true.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from django.db import connection

from metering import service_tiers
from metering.intake import new_models
from metering.intake.copy_rows import sku_part
from metering.measures import CONTEXT_BANDS, ServiceTier, UsageType

SkuKey = tuple[str, int, int | str, bool, int, bool]
"""The tier is its number, or the word of one that this process does not know."""
MAX_REMEMBERED = 200_000

_parts: dict[SkuKey, bytes] = {}
plain_parts: dict[tuple[str, str | None, bool], bytes] = {}
"""(model, service tier as sent, batch) of completions with a short context → the part of a row that names their SKU."""


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
        forget()
    wanted = sorted(_with_numbers(set(keys)))
    found = _find_or_add(wanted) if wanted else {}
    for key, sku_id in found.items():
        _parts[key] = sku_part(sku_id)
        model, usage_type, service_tier, batch, band, _ = key
        if usage_type == UsageType.COMPLETIONS and band == 0:
            plain_parts.update(((model, label, batch), _parts[key]) for label in _labels(service_tier))
    return found


def _with_numbers(keys: AbstractSet[SkuKey]) -> set[SkuKey]:
    """The keys with the numbers of their tiers, of which new ones are stored."""
    service_tiers.add(key[2] for key in keys if isinstance(key[2], str))
    return {
        (model, usage_type, _number(tier), is_batch, band, in_both_units)
        for model, usage_type, tier, is_batch, band, in_both_units in keys
    }


def _number(tier: int | str) -> int:
    number = service_tiers.number_of(tier) if isinstance(tier, str) else tier
    return service_tiers.OTHER if number is None else number


def _labels(service_tier: int | str) -> list[str | None]:
    """What an event may say to mean this tier."""
    labels: list[str | None] = [*service_tiers.words_of(int(service_tier))]
    return [*labels, None] if service_tier == ServiceTier.DEFAULT else labels


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    _parts.clear()
    plain_parts.clear()
    service_tiers.forget()


def _find_or_add(keys: list[SkuKey]) -> dict[SkuKey, int]:
    """Each row is looked up by its key (OFFSET): statistics know nothing of rows that came within the last minute."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    wanted = "unnest(%s::text[], %s::smallint[], %s::smallint[], %s::boolean[], %s::integer[], %s::boolean[])"
    wanted += " AS wanted (name, usage_type, service_tier, batch, context_band, in_both_units)"
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
            INSERT INTO metering_sku (model_id, usage_type, service_tier, batch, context_band, in_both_units)
            SELECT model.id, usage_type, service_tier, batch, context_band, in_both_units
            FROM {wanted} {model}
            ORDER BY 1, 2, 3, 4, 5, 6 ON CONFLICT DO NOTHING
            """,
            columns,
        )
        cursor.execute(
            f"""
            SELECT name, usage_type, service_tier, batch, context_band, in_both_units, sku.id
            FROM {wanted} {model}
            CROSS JOIN LATERAL (
                SELECT id FROM metering_sku AS sku
                WHERE (sku.model_id, sku.usage_type, sku.service_tier, sku.batch, sku.context_band)
                    = (model.id, wanted.usage_type, wanted.service_tier, wanted.batch, wanted.context_band)
                  AND sku.in_both_units = wanted.in_both_units
                OFFSET 0
            ) AS sku
            """,
            columns,
        )
        return {(name, *rest): sku_id for name, *rest, sku_id in cursor.fetchall()}
