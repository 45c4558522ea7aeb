"""Readable names beside ids: one query for the models, users and keys that a page shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from accounts.models import Organization
from metering.measures import ServiceTier
from metering.usage.queries import UNTRACKED, Group

# A model's place is its place in the order in which this installation first saw its models; it never changes.
NAMES_SQL: Final = """
    SELECT 'model', id, name, name, '', (SELECT count(*) FROM metering_model older WHERE older.id < metering_model.id)
    FROM metering_model WHERE id = ANY(%(models)s)
    UNION ALL
    SELECT 'user', id, coalesce(nullif(name, ''), email), public_id, '', id
    FROM accounts_user WHERE id = ANY(%(users)s)
    UNION ALL
    SELECT 'api_key', id, name, public_id, redacted, id FROM apikeys_apikey WHERE id = ANY(%(api_keys)s)
"""


@dataclass(frozen=True)
class Named:
    """A model, user, key or organization as people know it. `address_value` stands for it in a query string.

    `place` decides its colour (metering/pages/palette.py).
    """

    id: int
    name: str
    address_value: str
    detail: str = ""
    place: int = 0


UNTRACKED_NAME: Final = Named(UNTRACKED, "Untracked", "untracked")
SERVICE_TIER_NAMES: Final = {
    (Group.SERVICE_TIER, tier.value): Named(tier.value, tier.label, tier.label, place=tier.value - 1)
    for tier in ServiceTier
}


@dataclass(frozen=True)
class Names:
    """The names of a page, by group and id."""

    known: Mapping[tuple[Group, int], Named] = field(default_factory=dict)

    def of(self, group: Group, found_id: int) -> Named:
        """The name of an id; an id without a name shows itself."""
        return self.known.get((group, found_id), Named(found_id, f"#{found_id}", "", place=found_id))


def names_of(
    *,
    models: Iterable[int] = (),
    users: Iterable[int] = (),
    api_keys: Iterable[int] = (),
    organizations: Iterable[Organization] = (),
) -> Names:
    """The names of these ids and organizations, in one query."""
    known = {(Group.API_KEY, UNTRACKED): UNTRACKED_NAME, **SERVICE_TIER_NAMES} | {
        (Group.ORGANIZATION, found.id): Named(found.id, found.name, found.public_id, place=place)
        for place, found in enumerate(organizations)
    }
    parameters = {"models": list(models), "users": list(users), "api_keys": list(api_keys)}
    with connection.cursor() as cursor:
        cursor.execute(NAMES_SQL, parameters)
        known |= {(Group(kind), columns[0]): Named(*columns) for kind, *columns in cursor.fetchall()}
    return Names(known)
