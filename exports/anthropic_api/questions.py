"""From what a request names to the one query that pages, exports and APIs are made from."""

from dataclasses import replace
from datetime import datetime

from apikeys.adminkeys.authentication import AdminCaller
from exports.admin_api import questions
from exports.admin_api.questions import NOBODYS, Named
from exports.admin_api.times import STEPS
from exports.anthropic_api.groups import USER_ACTOR, sku_filters
from exports.anthropic_api.parameters import Filters
from metering.usage.queries import UsageQuery


def query_of(
    caller: AdminCaller, filters: Filters, moments: tuple[datetime, datetime], *, width: str, by_project: bool
) -> UsageQuery:
    """The usage from the first moment to before the second, of the organizations that the key reads."""
    named = Named(
        models=filters.get("models") or None,
        users=filters.get("actor_ids") or filters.get("account_ids") or None,
        api_keys=filters.get("api_key_ids") or None,
        projects=filters.get("workspace_ids") or None,
        organizations=filters.get("organization_ids") or None,
    )
    query = questions.query_of(caller, named, moments, step=STEPS[width], by_project=by_project)
    if USER_ACTOR not in (filters.get("actor_types") or [USER_ACTOR]):
        query = replace(query, organization_ids=NOBODYS)
    return replace(query, sku_filters=sku_filters({name: found for name, found in filters.items() if found}))
