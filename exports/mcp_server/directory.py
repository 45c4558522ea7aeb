"""The tools that tell which API keys there are, and why usage counts where it does."""

from typing import Annotated, Any

from django.conf import settings
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult
from pydantic import Field

from accounts.access import find_seen
from accounts.models import Organization, Project
from accounts.periods import one_day, parse_day
from accounts.projects.projects import default_name
from apikeys.adminkeys.authentication import AdminCaller
from apikeys.attribution.project_keys import keys_of_organization
from apikeys.coverage.coverage import visibility_of
from apikeys.models import AdminKey
from exports.mcp_server import words
from exports.mcp_server.calls import answer, in_words, opened, owned
from exports.openai_api.lists import Row, Window, list_of
from metering.usage.owned import Asked as Ids
from metering.usage.routed import MAX_ROWS, routed_usage

Organization_ = Annotated[words.Text | None, Field(description="Of this organization; the key's own if left out.")]
After = Annotated[words.Text | None, Field(description="Go on behind this key id: `last_id` of the answer before.")]


def list_api_keys(organization_id: Organization_ = None, after: After = None) -> CallToolResult:
    """The active API keys whose usage counts in an organization: owner, project, dates, and whether usage shows under the key.

    Secrets are never told. Needs the scope `members`.
    """
    with opened(AdminKey.Scope.MEMBERS) as caller:
        organization = _organization(caller, organization_id)
        rows = keys_of_organization(organization, now=caller.now).select_related("user")
        projects = {found.pk: found for found in Project.objects.filter(organization=organization)}
        default = default_name(organization)

        def show(found: list[Any]) -> list[Row]:
            return [_key_row(api_key, organization, projects.get(api_key.project_id), default) for api_key in found]

        found = list_of(rows, Window(settings.MCP_MAX_ROWS, after), show)
        return answer(
            {
                "organization": {"id": organization.public_id, "name": organization.name},
                "api_keys": found["data"],
                "last_id": found["last_id"],
                "cut": found["has_more"],
            }
        )


def explain_event_routing(day: words.Day, user_ids: words.Users = (), api_key_ids: words.Keys = ()) -> CallToolResult:
    """Why usage of one day counts in the organization where it is, and shows under its API key or as Untracked.

    One row for each rule that routed events: requests, a sentence that says why, and what they were for; the largest first.
    Someone's key that reads Untracked is not named. Needs the scopes `usage` and `members`.
    """
    with opened(AdminKey.Scope.USAGE, AdminKey.Scope.MEMBERS) as caller:
        found_day = parse_day(day)
        if found_day is None:
            raise ToolError(f"day {in_words([day])} is not a day like 2026-11-14.")
        ids = owned(caller, Ids(users=user_ids, api_keys=api_key_ids))
        rows = routed_usage(caller, one_day(found_day), reader_id=None, user_ids=ids.users, api_key_ids=ids.api_keys)
        most = min(settings.MCP_MAX_ROWS, MAX_ROWS - 1)
        body = {
            "day": f"{found_day}",
            "rows": [
                {
                    "organization": row.organization,
                    "user": row.user,
                    "api_key": row.key,
                    "requests": row.requests,
                    "why": row.sentence,
                    "for": dict(row.what_for),
                }
                for row in rows[:most]
            ],
            "cut": len(rows) > most,
        }
        if not rows:
            body["note"] = f"No stored events; they are kept for {settings.USAGE_EVENT_RETENTION_DAYS} days."
        return answer(body)


def _organization(caller: AdminCaller, public_id: str | None) -> Organization:
    """Raises Http404 for one that the key does not read, as if it did not exist."""
    if public_id is None:
        return caller.organization
    seen = [found.pk for found in caller.organizations]
    return find_seen(Organization.objects.filter(pk__in=seen), public_id=public_id)


def _key_row(api_key: Any, organization: Organization, project: Project | None, default: str) -> Row:
    user = api_key.user
    return {
        "id": api_key.public_id,
        "name": api_key.name,
        "redacted_secret": api_key.redacted,
        "user_id": user.public_id,
        "user_name": user.name or user.email,
        "user_email": user.email,
        "project_id": "default" if project is None else project.public_id,
        "project_name": default if project is None else project.name,
        "usage_shows": visibility_of(api_key, organization).value,
        **{
            name: None if (moment := getattr(api_key, name)) is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
            for name in ("created_at", "last_used_at", "expires_at")
        },
    }
