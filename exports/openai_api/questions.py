"""From what a request asks for to the one query that pages, exports and APIs are made from."""

from dataclasses import replace
from datetime import datetime

from apikeys.adminkeys.authentication import AdminCaller
from exports.admin_api import questions
from exports.admin_api.questions import Named
from exports.admin_api.times import STEPS
from exports.openai_api.endpoints import KNOWN_GROUPS
from exports.openai_api.parameters import OUR_FILTER, Asked
from metering.usage.groupings import Grouping
from metering.usage.queries import UsageQuery


def query_of(caller: AdminCaller, asked: Asked, start: datetime, end: datetime) -> UsageQuery:
    """The usage that the request asks for from `start` to before `end`, of the organizations that the key reads."""
    filters = asked.filters
    named = Named(
        models=filters.get("models") or None,
        users=filters.get("user_ids") or None,
        api_keys=filters.get("api_key_ids") or None,
        projects=filters.get("project_ids") or None,
        organizations=filters.get(OUR_FILTER),
    )
    by_project = "project_id" in asked.group_by
    query = questions.query_of(caller, named, (start, end), step=STEPS[asked.width], by_project=by_project)
    usage_type = asked.endpoint.usage_type
    return replace(query, usage_types=() if usage_type is None else (usage_type.value,), batch=asked.batch)


def groupings_of(asked: Asked) -> tuple[Grouping, ...]:
    """What rows are told apart by, of that which is known here."""
    return tuple(KNOWN_GROUPS[name] for name in asked.group_by if name in KNOWN_GROUPS)
