"""The dictionary of SKUs in this process's memory: all that a price can depend on → part of a row.

Rows of the dictionary are never changed or deleted, so what is remembered stays true. Each organization may bring some new ones a
UTC day, so that none can make the dictionary grow without end: those that the installation knows, whoever brought them, are free.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from django.conf import settings
from django.db import connection, transaction

from metering import price_words, service_tiers
from metering.dictionaries.over_share import OverShare
from metering.dictionaries.shares import NOBODYS, brought_today, share
from metering.dictionaries.words import OVER_THE_BOUND
from metering.intake import new_models
from metering.intake.copy_rows import sku_part
from metering.intake.formats.events import Refusal
from metering.measures import CONTEXT_BANDS, ServiceTier, UsageType
from metering.models import Sku
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
WANTED = (
    "%s::text[], %s::smallint[], %s::smallint[], %s::boolean[], %s::smallint[], %s::smallint[], %s::smallint[]"
    ", %s::integer[], %s::boolean[], %s::boolean[]"
)
MODEL = "CROSS JOIN LATERAL (SELECT id FROM metering_model AS model WHERE model.name = wanted.name OFFSET 0) AS model"
NEW_SKUS_LOCK: Final = 0x5553_4147_4512  # an advisory lock's key: any number that nothing else here uses
OVER_THE_LIMIT: Final = Refusal(
    "too_many_new_skus",
    "The organization has reported as many new combinations of model, usage type, service tier, batch setting, provider, speed,"
    " region and size of context today (UTC) as it may; known ones are taken. Send it again tomorrow.",
)
Instead = dict[tuple[int, SkuKey], SkuKey | Refusal]
"""(organization, SKU) → the SKU with “other” for words over a bound that its usage is of, or why that is refused."""
One = TypeVar("One")
_numbers_of: Final[Mapping[str, Callable[[str], int | None]]] = {
    "service_tier": service_tiers.number_of,
    **{dimension.label: partial(price_words.number_of, dimension) for dimension in Dimension},
}
"""Parts of a key that are words."""

over_share: Final = OverShare[SkuKey](seconds=5, most=1_000, most_each=100)
"""What keys with words that are not stored were taken for lately."""
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
    organizations = _of_each(one for of_one in missing for one in of_one.items())
    if organizations:
        raise MissingError(organizations)


def adopt(organizations: Mapping[SkuKey, AbstractSet[int]]) -> Instead:
    """Look the SKUs up or add them, outside the transaction that asked for them, so that no other waits for its end.

    Returns what is not added as it is: where words are over a bound, a model is new and too much, or the SKU is.
    """
    refused = new_models.add(_of_each((key.model, ids) for key, ids in organizations.items()))
    allowed = {key: ids for key, ids in organizations.items() if key.model not in refused}
    _add_words(allowed)
    said_now = {key: _as_said_now(key) for key in organizations}
    known = _learn(_of_each((_with_numbers(said_now[key]), ids) for key, ids in allowed.items()))
    instead: Instead = {}
    for key, ids in organizations.items():
        said = said_now[key]
        found: SkuKey | Refusal = _with_numbers(said)
        if key.model in refused:
            found = new_models.OVER_THE_LIMIT
        elif found not in known:
            found = OVER_THE_LIMIT
        if found != said:
            instead.update({(organization_id, said): found for organization_id in ids})
            if isinstance(found, SkuKey):
                for organization_id in ids:
                    over_share.remember(organization_id, said, found)
    return instead


def part_of(key: SkuKey) -> bytes | None:
    """The part of a row that names this SKU; None if this process does not know the SKU."""
    return _parts.get(key)


def add(keys: Iterable[SkuKey]) -> dict[SkuKey, int]:
    """The ids of these SKUs, which are added where they are new, for no organization and without a limit. Not to be called inside
    a transaction."""
    wanted = dict.fromkeys(keys, NOBODYS)
    _add_words(wanted)
    return _learn({_with_numbers(_as_said_now(key)): NOBODYS for key in wanted})


def _of_each(pairs: Iterable[tuple[One, AbstractSet[int]]]) -> Mapping[One, AbstractSet[int]]:
    """All organizations of each, in the order in which each comes first."""
    together: dict[One, set[int]] = {}
    for one, organization_ids in pairs:
        together.setdefault(one, set()).update(organization_ids)
    return together


def _add_words(organizations: Mapping[SkuKey, AbstractSet[int]]) -> None:
    """Learn the numbers of the words in keys; new ones are stored as far as they may be."""
    words = [
        (name, word, ids)
        for key, ids in organizations.items()
        for name in _numbers_of
        if isinstance(word := getattr(key, name), str)
    ]
    service_tiers.add(_of_each((word, ids) for name, word, ids in words if name == "service_tier"))
    price_words.add(
        _of_each(
            ((dimension, word), ids) for name, word, ids in words for dimension in Dimension if name == dimension.label
        )
    )


def _as_said_now(key: SkuKey) -> SkuKey:
    """The key as its events have it from now on: with the numbers of those words that this process knows by now."""
    numbers: dict[str, Any] = {
        name: number
        for name, number_of in _numbers_of.items()
        if isinstance(word := getattr(key, name), str) and (number := number_of(word)) is not None
    }
    return key._replace(**numbers) if numbers else key


def _with_numbers(key: SkuKey) -> SkuKey:
    """The key with numbers alone: words are over a bound."""
    words: dict[str, Any] = {name: OVER_THE_BOUND for name in _numbers_of if isinstance(getattr(key, name), str)}
    return key._replace(**words) if words else key


def _learn(wanted: Mapping[SkuKey, AbstractSet[int]]) -> dict[SkuKey, int]:
    """Remember the ids of these SKUs, and return them. Those that are new are added, each for one of its organizations, as
    long as that has brought fewer today than it may."""
    if len(_parts) > MAX_REMEMBERED:
        _forget_parts()
    found = _find(wanted)
    if (new := {key: ids for key, ids in wanted.items() if key not in found}) and _store(new):
        found |= _find(new)
    for key, sku_id in found.items():
        _parts[key] = sku_part(sku_id)
        if key.usage_type == UsageType.COMPLETIONS and not (key.context_band or key.speed or key.region):
            plain_parts.update(
                ((key.model, tier, key.batch, provider), _parts[key])
                for tier in _tiers_as_sent(key)
                for provider in price_words.words_of(Dimension.PROVIDER, int(key.provider))
            )
    return found


def _tiers_as_sent(key: SkuKey) -> list[str | None]:
    """What an event may say to mean this tier."""
    words: list[str | None] = [*service_tiers.words_of(int(key.service_tier))]
    return [*words, None] if key.service_tier == ServiceTier.DEFAULT else words


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    _forget_parts()
    over_share.forget()
    service_tiers.forget()
    price_words.forget()


def _forget_parts() -> None:
    _parts.clear()
    plain_parts.clear()


def _store(new: Mapping[SkuKey, AbstractSet[int]]) -> bool:
    """Add what may be added, if anything may. Requests wait for each other here, so that the limit holds exactly; but what is
    all over it waits for nobody."""
    if not _allowed(new):
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NEW_SKUS_LOCK])
        known = _find(new)
        allowed = _allowed({key: ids for key, ids in new.items() if key not in known})
        if allowed:
            _insert(cursor, allowed)
    return True


def _allowed(new: Mapping[SkuKey, AbstractSet[int]]) -> dict[SkuKey, int | None]:
    brought = brought_today(Sku.objects.all(), new.values(), by="brought_by", at="brought_at")
    return share(new, brought, settings.NEW_SKUS_PER_DAY)


def _insert(cursor: Any, new: Mapping[SkuKey, int | None]) -> None:
    columns = [*_columns(new), list(new.values())]
    cursor.execute(
        "INSERT INTO metering_model (name) SELECT DISTINCT unnest(%s::text[]) ORDER BY 1 ON CONFLICT DO NOTHING",
        columns[:1],
    )
    cursor.execute(
        f"""
        INSERT INTO metering_sku (model_id, {SAID}, {COUNTED}, brought_by)
        SELECT model.id, {SAID}, {COUNTED}, wanted.brought_by
        FROM unnest({WANTED}, %s::bigint[]) AS wanted (name, {SAID}, {COUNTED}, brought_by) {MODEL}
        ORDER BY model.id, {SAID}, {COUNTED} ON CONFLICT DO NOTHING
        """,
        columns,
    )


def _find(keys: Iterable[SkuKey]) -> dict[SkuKey, int]:
    """Each row is looked up by its key (OFFSET): statistics know nothing of rows that came within the last minute."""
    columns = _columns(keys)
    if not columns:
        return {}
    same = " AND ".join(f"sku.{name} = wanted.{name}" for name in (*SkuKey._fields[1:],))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT name, {SAID}, {COUNTED}, sku.id
            FROM unnest({WANTED}) AS wanted (name, {SAID}, {COUNTED}) {MODEL}
            CROSS JOIN LATERAL (
                SELECT id FROM metering_sku AS sku
                WHERE sku.model_id = model.id AND {same}
                OFFSET 0
            ) AS sku
            """,
            columns,
        )
        return {SkuKey(*key): sku_id for *key, sku_id in cursor.fetchall()}


def _columns(keys: Iterable[SkuKey]) -> list[list[Any]]:
    return [list(column) for column in zip(*keys, strict=True)]
