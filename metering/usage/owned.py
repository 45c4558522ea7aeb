"""Which ids of a query string are the reader's to filter by: only what has usage behind the door that was opened."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from django.db import connection

from accounts.access import Sight
from metering.attribution_models import PROJECT as OF_PROJECT
from metering.cluster.state import is_distributed, parts_table
from metering.price_words import Dimension
from metering.service_tiers import BUILT_IN
from metering.usage.declared import Declared
from metering.usage.groupings import (
    API_KEY,
    ATTRIBUTE,
    GROUPINGS,
    MODEL,
    NONE,
    ORGANIZATION,
    PROJECT,
    PROVIDER,
    SERVICE_TIER,
    USER,
    Grouping,
)
from metering.usage.names import (
    DEFAULT_PROJECT,
    PROVIDER_NAMES,
    SERVICE_TIER_NAMES,
    UNTRACKED_NAMES,
    Named,
    Names,
    names_beside_values,
)
from metering.usage.queries import ValueFilter

# A user was once a member; a key or a model has usage in these organizations and, for a reader who sees only their own
# usage, by themselves. What exists elsewhere is answered like what does not exist.
DAILY: Final = "metering_dailyusage AS usage"
SKUS_OF_ALL: Final = "metering_organizationdailyusage AS usage JOIN metering_sku AS sku ON sku.id = usage.sku_id"
SKUS_OF_USERS: Final = "metering_userdailyusage AS usage JOIN metering_sku AS sku ON sku.id = usage.sku_id"
VALUES: Final = "metering_valuemonthlyusage AS usage"
OWN: Final = "usage.user_id = %(own)s"


def _used(rows: str, column: str, found: str, *, where: str = "true") -> str:
    """The condition that what is `found` has usage in these organizations: rows whose `column` is it.

    On a cluster the rows are asked first, because what is found is on another machine.
    """
    of_these = f"FROM {rows} WHERE usage.organization_id = ANY(%(ids)s) AND {where}"
    if is_distributed() and rows != SKUS_OF_ALL:
        return f"{found} IN (SELECT {column.strip('()')} {of_these})"
    return f"EXISTS (SELECT 1 {of_these} AND {column} = {found})"


def _of_skus(column: str, found: str, *, is_own: bool) -> str:
    return _used(SKUS_OF_USERS, column, found, where=OWN) if is_own else _used(SKUS_OF_ALL, column, found)


def _of_values(*, is_own: bool) -> str:
    if not is_own:
        is_asked = "usage.attribute_id = ANY(%(attribute_ids)s)"
        return _used(VALUES, "(usage.attribute_id, usage.value_id)", "(declared.id, value.id)", where=is_asked)
    is_asked = "part.attribute_id = ANY(%(attribute_ids)s)"
    return _own_attributed("(part.attribute_id, part.value_id)", "(declared.id, value.id)", is_asked)


def _own_attributed(column: str, found: str, where: str) -> str:
    rows = f"metering_attributeddailyusage AS usage JOIN {parts_table()} AS part ON part.attribution_id = usage.attribution_id"
    return _used(rows, column, found, where=f"{OWN} AND {where}")


def _owned_sql(*, is_own: bool) -> str:
    """kind, id, name, address value and redacted secret; `is_own`: for a reader who sees only their own usage."""
    own = "(usage.organization_id, part.value_id)", "(project.organization_id, project.id)"
    may_see_project = _own_attributed(*own, f"part.attribute_id = {OF_PROJECT}") if is_own else "true"
    return f"""
        SELECT 'user', id, coalesce(nullif(name, ''), email), public_id, '' FROM accounts_user
        WHERE public_id = ANY(%(users)s) AND {"id = %(own)s" if is_own else "true"} AND EXISTS (
            SELECT 1 FROM accounts_membership membership
            WHERE membership.user_id = accounts_user.id AND membership.organization_id = ANY(%(ids)s))
        UNION ALL
        SELECT 'api_key', id, name, public_id, redacted FROM apikeys_apikey
        WHERE public_id = ANY(%(api_keys)s) AND {"user_id = %(own)s" if is_own else "true"}
            AND {_used(DAILY, "usage.api_key_id", "apikeys_apikey.id", where=_named_keys())}
        UNION ALL
        SELECT 'model', id, name, name, '' FROM metering_model
        WHERE name = ANY(%(models)s) AND {_of_skus("sku.model_id", "metering_model.id", is_own=is_own)}
        UNION ALL
        SELECT 'service_tier', id, word, word, '' FROM metering_servicetierword AS tier
        WHERE word = ANY(%(service_tiers)s) AND {_of_skus("sku.service_tier", "tier.id", is_own=is_own)}
        UNION ALL
        SELECT 'provider', id, word, word, '' FROM metering_priceword AS provider
        WHERE dimension = {Dimension.PROVIDER.value} AND word = ANY(%(providers)s)
            AND {_of_skus("sku.provider", "provider.id", is_own=is_own)}
        UNION ALL
        SELECT 'project', id, name, public_id, '' FROM accounts_project AS project
        WHERE public_id = ANY(%(projects)s) AND organization_id = ANY(%(ids)s) AND (is_default OR {may_see_project})
        UNION ALL
        SELECT asked.word, value.id, value.value, asked.value, '' FROM metering_attributevalue AS value
        JOIN unnest(%(attributes)s::text[], %(texts)s::text[], %(values)s::text[]) AS asked (word, text, value)
            ON asked.text = value.value
        JOIN unnest(%(words)s::text[], %(attribute_ids)s::int[]) AS declared (word, id) ON declared.word = asked.word
        WHERE {_of_values(is_own=is_own)}
    """


def _named_keys() -> str:
    """On a cluster: of the keys asked for alone, not of all that an organization has."""
    if not is_distributed():
        return "true"
    return "usage.api_key_id IN (SELECT id FROM apikeys_apikey WHERE public_id = ANY(%(api_keys)s))"


@dataclass(frozen=True)
class OwnedIds:
    """The ids that a reader asked for and may use."""

    models: tuple[int, ...] = ()
    users: tuple[int, ...] = ()
    api_keys: tuple[int, ...] = ()
    organizations: tuple[int, ...] = ()
    service_tiers: tuple[int, ...] = ()
    providers: tuple[int, ...] = ()
    values: tuple[ValueFilter, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a reader asked for, as it stands in addresses."""

    models: Collection[str] = ()
    users: Collection[str] = ()
    api_keys: Collection[str] = ()
    organizations: Collection[str] = ()
    service_tiers: Collection[str] = ()
    providers: Collection[str] = ()
    projects: Collection[str] = ()
    attributes: Collection[str] = ()


def find_owned(sight: Sight, asked: Asked, declared: Declared) -> tuple[OwnedIds, Names]:
    """The ids behind these address values, and their names. One query, and none when nothing needs one."""
    known = {
        (ORGANIZATION, found.id): Named(found.id, found.name, found.public_id)
        for found in sight.organizations
        if found.public_id in asked.organizations
    }
    if "untracked" in asked.api_keys:
        known |= UNTRACKED_NAMES
    known |= {key: named for key, named in SERVICE_TIER_NAMES.items() if named.name in asked.service_tiers}
    known |= {key: named for key, named in PROVIDER_NAMES.items() if named.address_value in asked.providers}
    known |= _without_values(asked, declared)
    stored = replace(asked, organizations=(), service_tiers=set(asked.service_tiers) - set(BUILT_IN.values()))
    if any(vars(stored).values()):
        known |= _look_up(sight, stored, declared)
    return _owned_ids(known, declared), Names(known)


def _owned_ids(known: Collection[tuple[Grouping, int]], declared: Declared) -> OwnedIds:
    ids = {grouping: tuple(found_id for kind, found_id in known if kind == grouping) for grouping in GROUPINGS.values()}
    return OwnedIds(
        models=ids[MODEL],
        users=ids[USER],
        api_keys=ids[API_KEY],
        organizations=ids[ORGANIZATION],
        service_tiers=ids[SERVICE_TIER],
        providers=ids[PROVIDER],
        values=tuple(_value_filters(known, declared)),
    )


def _without_values(asked: Asked, declared: Declared) -> dict[tuple[Grouping, int], Named]:
    """What is asked for that is no value: the default projects, usage without a value, Other values."""
    known = {(PROJECT, NONE): DEFAULT_PROJECT} if DEFAULT_PROJECT.address_value in asked.projects else {}
    beside = dict(pair for grouping in declared.attributes for pair in names_beside_values(grouping))
    return known | {key: named for key, named in beside.items() if named.address_value in asked.attributes}


def _value_filters(known: Collection[tuple[Grouping, int]], declared: Declared) -> Iterable[ValueFilter]:
    """One for each dimension that is asked for. The default projects' usage is what is stored without a project."""
    if projects := {found_id for kind, found_id in known if kind == PROJECT}:
        if NONE in projects:
            projects |= set(declared.default_projects)
        with_nothing = NONE in projects or bool(projects & set(declared.default_projects))
        yield ValueFilter(PROJECT, tuple(sorted(projects)), with_nothing)
    for grouping in declared.attributes:
        if values := tuple(sorted(found_id for kind, found_id in known if kind == grouping)):
            yield ValueFilter(grouping, values, NONE in values)


def _look_up(sight: Sight, asked: Asked, declared: Declared) -> dict[tuple[Grouping, int], Named]:
    groupings = GROUPINGS | {found.word: found for found in declared.attributes}
    values = [(value, *value.partition(":")[::2]) for value in asked.attributes]
    ids = [(found.word, attribute_id) for found in declared.attributes for attribute_id in found.dimensions]
    parameters: dict[str, list[str] | list[int] | int | None] = {
        "models": list(asked.models),
        "users": list(asked.users),
        "api_keys": list(asked.api_keys),
        "service_tiers": list(asked.service_tiers),
        "providers": list(asked.providers),
        "projects": list(asked.projects),
        "attributes": [f"{ATTRIBUTE}{name}" for _, name, _ in values],
        "texts": [text for _, _, text in values],
        "values": [value for value, _, _ in values],
        "words": [word for word, _ in ids],
        "attribute_ids": [attribute_id for _, attribute_id in ids],
        "ids": [organization.id for organization in sight.organizations],
        "own": sight.only_of,
    }
    with connection.cursor() as cursor:
        cursor.execute(_owned_sql(is_own=sight.only_of is not None), parameters)
        return {
            (groupings[kind], found_id): Named(found_id, *columns) for kind, found_id, *columns in cursor.fetchall()
        }
