"""From what a request asks for to the one query that pages, exports and APIs are made from."""

from datetime import datetime, timedelta
from typing import Final

from accounts.periods import Period
from apikeys.adminkeys.authentication import AdminCaller
from exports.openai_api.endpoints import KNOWN_GROUPS
from exports.openai_api.parameters import Asked
from metering.usage import groupings
from metering.usage.declared import Declared, declared_in
from metering.usage.groupings import PROJECT, Grouping
from metering.usage.owned import Asked as Ids
from metering.usage.owned import OwnedIds, find_owned
from metering.usage.queries import Step, UsageQuery, ValueFilter

STEPS: Final = {"1m": Step.MINUTE, "1h": Step.HOUR, "1d": Step.DAY}
NOBODYS: Final = (-1,)
"""The ids of a filter that names nothing which the key may read: it finds nothing, whether the named exist elsewhere or not."""


def query_of(caller: AdminCaller, asked: Asked, start: datetime, end: datetime) -> UsageQuery:
    """The usage that the request asks for from `start` to before `end`, of the organizations that the key reads."""
    owned = _owned(caller, asked)
    usage_type = asked.endpoint.usage_type
    return UsageQuery(
        organization_ids=_organizations(caller, asked),
        period=Period(start.date(), (end - timedelta(microseconds=1)).date() + timedelta(days=1)),
        moments=(start, end),
        user_ids=_found(asked, "user_ids", owned.users),
        api_key_ids=_found(asked, "api_key_ids", owned.api_keys),
        model_ids=_found(asked, "models", owned.models),
        usage_types=() if usage_type is None else (usage_type.value,),
        values=_projects(asked, owned),
        batch=asked.batch,
        group=PROJECT if "project_id" in asked.group_by else groupings.DEFAULT,
        step=STEPS[asked.width],
    )


def groupings_of(asked: Asked) -> tuple[Grouping, ...]:
    """What rows are told apart by, of that which is known here."""
    return tuple(KNOWN_GROUPS[name] for name in asked.group_by if name in KNOWN_GROUPS)


def _owned(caller: AdminCaller, asked: Asked) -> OwnedIds:
    filters = asked.filters
    ids = Ids(
        models=filters.get("models", ()),
        users=filters.get("user_ids", ()),
        api_keys=filters.get("api_key_ids", ()),
        projects=filters.get("project_ids", ()),
    )
    if not any(vars(ids).values()):
        return OwnedIds()
    declared = declared_in(caller.organizations) if ids.projects else Declared()
    return find_owned(caller, ids, declared)[0]


def _organizations(caller: AdminCaller, asked: Asked) -> tuple[int, ...]:
    wanted = asked.filters.get("organization_ids")
    found = (found.pk for found in caller.organizations if wanted is None or found.public_id in wanted)
    return tuple(found) or NOBODYS


def _found(asked: Asked, name: str, ids: tuple[int, ...]) -> tuple[int, ...]:
    return ids or NOBODYS if asked.filters.get(name) else ()


def _projects(asked: Asked, owned: OwnedIds) -> tuple[ValueFilter, ...]:
    if not asked.filters.get("project_ids"):
        return ()
    return owned.values or (ValueFilter(PROJECT, NOBODYS),)
