"""From what a request asks for to the one query that pages, exports and APIs are made from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from accounts.periods import Period
from apikeys.adminkeys.authentication import AdminCaller
from metering.usage import groupings
from metering.usage.declared import Declared, declared_in
from metering.usage.groupings import PROJECT
from metering.usage.owned import Asked as Ids
from metering.usage.owned import OwnedIds, find_owned
from metering.usage.queries import Step, UsageQuery, ValueFilter

NOBODYS: Final = (-1,)
"""The ids of a filter that names nothing which the key may read: it finds nothing, whether the named exist elsewhere or not."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """The ids that a request names, as they stand in addresses. None: it does not filter by them; empty finds nothing."""

    models: Collection[str] | None = None
    users: Collection[str] | None = None
    api_keys: Collection[str] | None = None
    projects: Collection[str] | None = None
    organizations: Collection[str] | None = None


def query_of(
    caller: AdminCaller, named: Named, moments: tuple[datetime, datetime], *, step: Step, by_project: bool
) -> UsageQuery:
    """The usage from the first moment to before the second of what is named, of the organizations that the key reads;
    `by_project`: rows are told apart by their projects."""
    start, end = moments
    owned = _owned(caller, named)
    return UsageQuery(
        organization_ids=_organizations(caller, named),
        period=Period(start.date(), (end - timedelta(microseconds=1)).date() + timedelta(days=1)),
        moments=moments,
        user_ids=_found(named.users, owned.users),
        api_key_ids=_found(named.api_keys, owned.api_keys),
        model_ids=_found(named.models, owned.models),
        values=_projects(named, owned),
        group=PROJECT if by_project else groupings.DEFAULT,
        step=step,
    )


def _owned(caller: AdminCaller, named: Named) -> OwnedIds:
    ids = Ids(
        models=named.models or (),
        users=named.users or (),
        api_keys=named.api_keys or (),
        projects=named.projects or (),
    )
    if not any(vars(ids).values()):
        return OwnedIds()
    declared = declared_in(caller.organizations) if ids.projects else Declared()
    return find_owned(caller, ids, declared)[0]


def _organizations(caller: AdminCaller, named: Named) -> tuple[int, ...]:
    wanted = named.organizations
    found = (found.pk for found in caller.organizations if wanted is None or found.public_id in wanted)
    return tuple(found) or NOBODYS


def _found(asked: Collection[str] | None, ids: tuple[int, ...]) -> tuple[int, ...]:
    return () if asked is None else ids or NOBODYS


def _projects(named: Named, owned: OwnedIds) -> tuple[ValueFilter, ...]:
    if named.projects is None:
        return ()
    return owned.values or (ValueFilter(PROJECT, NOBODYS),)
