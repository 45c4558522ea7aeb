"""Which ids of a query string are the reader's to filter by: only what has usage behind the door that was opened."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.db import connection

from accounts.access import Access
from metering.service_tiers import BUILT_IN
from metering.usage.groupings import API_KEY, GROUPINGS, MODEL, ORGANIZATION, SERVICE_TIER, USER, Grouping
from metering.usage.names import SERVICE_TIER_NAMES, UNTRACKED_NAMES, Named, Names

# A user was once a member; a key or a model has usage in these organizations and, for a reader who sees only their own
# usage, by themselves. What exists elsewhere is answered like what does not exist.
OWNED_SQL: Final = """
    SELECT 'user', id, coalesce(nullif(name, ''), email), public_id, '' FROM accounts_user
    WHERE public_id = ANY(%(users)s) AND (%(own)s IS NULL OR id = %(own)s) AND EXISTS (
        SELECT FROM accounts_membership membership
        WHERE membership.user_id = accounts_user.id AND membership.organization_id = ANY(%(ids)s))
    UNION ALL
    SELECT 'api_key', id, name, public_id, redacted FROM apikeys_apikey
    WHERE public_id = ANY(%(api_keys)s) AND (%(own)s IS NULL OR user_id = %(own)s) AND EXISTS (
        SELECT FROM metering_dailyusage usage
        WHERE usage.organization_id = ANY(%(ids)s) AND usage.api_key_id = apikeys_apikey.id)
    UNION ALL
    SELECT 'model', id, name, name, '' FROM metering_model
    WHERE name = ANY(%(models)s) AND CASE WHEN %(own)s IS NULL THEN EXISTS (
        SELECT FROM metering_organizationdailyusage usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE usage.organization_id = ANY(%(ids)s) AND sku.model_id = metering_model.id)
    ELSE EXISTS (
        SELECT FROM metering_userdailyusage usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE usage.organization_id = ANY(%(ids)s) AND usage.user_id = %(own)s AND sku.model_id = metering_model.id)
    END
    UNION ALL
    SELECT 'service_tier', id, word, word, '' FROM metering_servicetierword AS tier
    WHERE word = ANY(%(service_tiers)s) AND CASE WHEN %(own)s IS NULL THEN EXISTS (
        SELECT FROM metering_organizationdailyusage usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE usage.organization_id = ANY(%(ids)s) AND sku.service_tier = tier.id)
    ELSE EXISTS (
        SELECT FROM metering_userdailyusage usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE usage.organization_id = ANY(%(ids)s) AND usage.user_id = %(own)s AND sku.service_tier = tier.id)
    END
"""


@dataclass(frozen=True)
class OwnedIds:
    """The ids that a reader asked for and may use."""

    models: tuple[int, ...] = ()
    users: tuple[int, ...] = ()
    api_keys: tuple[int, ...] = ()
    organizations: tuple[int, ...] = ()
    service_tiers: tuple[int, ...] = ()


def find_owned(  # noqa: PLR0913 - one for each kind of filter
    access: Access,
    *,
    models: Collection[str],
    users: Collection[str],
    api_keys: Collection[str],
    organizations: Collection[str],
    service_tiers: Collection[str] = (),
) -> tuple[OwnedIds, Names]:
    """The ids behind these address values, and their names. One query, and none when nothing needs one."""
    known = {
        (ORGANIZATION, found.id): Named(found.id, found.name, found.public_id)
        for found in access.organizations
        if found.public_id in organizations
    }
    if "untracked" in api_keys:
        known |= UNTRACKED_NAMES
    known |= {key: named for key, named in SERVICE_TIER_NAMES.items() if named.name in service_tiers}
    words = set(service_tiers) - set(BUILT_IN.values())
    if models or users or api_keys or words:
        known |= _look_up(access, models=models, users=users, api_keys=api_keys, service_tiers=words)
    groups = (MODEL, USER, API_KEY, ORGANIZATION, SERVICE_TIER)
    ids = [tuple(found_id for kind, found_id in known if kind == group) for group in groups]
    return OwnedIds(*ids), Names(known)


def _look_up(
    access: Access,
    *,
    models: Collection[str],
    users: Collection[str],
    api_keys: Collection[str],
    service_tiers: Collection[str],
) -> dict[tuple[Grouping, int], Named]:
    parameters: dict[str, list[str] | list[int] | int | None] = {
        "models": list(models),
        "users": list(users),
        "api_keys": list(api_keys),
        "service_tiers": list(service_tiers),
        "ids": [organization.id for organization in access.organizations],
        "own": None if access.sees_all_usage else access.user.id,
    }
    with connection.cursor() as cursor:
        cursor.execute(OWNED_SQL, parameters)
        return {
            (GROUPINGS[kind], found_id): Named(found_id, *columns) for kind, found_id, *columns in cursor.fetchall()
        }
