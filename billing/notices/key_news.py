"""Webhooks and chats are told of keys that were made or revoked: all of one kind in an organization together. Those of staff
are told of ingest tokens.

A note waits KEY_NEWS_SECONDS (`apikeys.news`), so that a load of 10,000 keys is one message, with their number, who made them
and the first few names. Secrets are nowhere in it, and who acted is called as in the organization's audit log: staff has no name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Min, QuerySet
from django.urls import reverse

from accounts.audit.log import entries_of
from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.models import AuditEvent, Organization
from accounts.pages.words import counted
from apikeys.models import KeyNews
from billing.alerts import News, StaffNews
from billing.notices import outbox
from billing.notices.outbox import Announcement
from metering import isolation

TASK: Final = "billing.notices.key_news"
MOST_IN_DATA: Final = 100
MOST_IN_TEXT: Final = 5
TAKE_SQL: Final = "DELETE FROM apikeys_keynews WHERE organization_id = %s AND event = %s RETURNING entry_id"
TAKE_FOR_STAFF_SQL: Final = (
    "DELETE FROM apikeys_keynews WHERE organization_id IS NULL AND event = %s RETURNING entry_id"
)


@dataclass(frozen=True)
class Kind:
    """What happened to keys: the type of its message, in words, and the page that shows it to owners, or to staff."""

    type: News | StaffNews
    thing: str
    done: str
    page: str


KINDS: Final = {
    "api_key.created": Kind(News.KEY_CREATED, "API key", "created", "accounts:audit"),
    "api_key.deleted": Kind(News.KEY_REVOKED, "API key", "revoked", "accounts:audit"),
    "admin_key.created": Kind(News.ADMIN_KEY_CREATED, "admin key", "created", "apikeys:admin_keys"),
    "admin_key.deleted": Kind(News.ADMIN_KEY_REVOKED, "admin key", "revoked", "apikeys:admin_keys"),
    "ingest_token.created": Kind(StaffNews.TOKEN_CREATED, "ingest token", "created", "billing:ingestion"),
    "ingest_token.deleted": Kind(StaffNews.TOKEN_REVOKED, "ingest token", "revoked", "billing:ingestion"),
}


def check() -> int:
    """Tell of what has waited long enough; returns of how many keys. Any number of workers may do so at once."""
    waiting = KeyNews.objects.values_list("organization_id", "event").annotate(first=Min("created_at"))
    before = database_now() - timedelta(seconds=settings.KEY_NEWS_SECONDS)
    due = waiting.filter(first__lte=before).values_list("organization_id", "event").order_by("first")
    return sum(
        isolation.do_each(TASK, list(due), lambda group: _tell(*group), name=lambda group: f"{group[1]} {group[0]}")
    )


def _tell(organization_id: int | None, event: str) -> int:
    with transaction.atomic():
        ids = _taken(organization_id, event)
        if ids:
            organization = Organization.objects.get(pk=organization_id) if organization_id else None
            outbox.tell_webhooks(_announcement(organization, KINDS[event], ids))
    return len(ids)


def _taken(organization_id: int | None, event: str) -> list[int]:
    """The ids of the entries that waited, oldest first: they are nobody else's now."""
    with connection.cursor() as cursor:
        if organization_id is None:
            cursor.execute(TAKE_FOR_STAFF_SQL, [event])
        else:
            cursor.execute(TAKE_SQL, [organization_id, event])
        return sorted(entry_id for (entry_id,) in cursor.fetchall())


def _announcement(organization: Organization | None, kind: Kind, ids: Sequence[int]) -> Announcement:
    of_all: Any = entries_of(organization) if organization else _entries_for_staff()
    entries = list(of_all.filter(pk__in=ids[:MOST_IN_DATA]).order_by("pk"))
    by = sorted(set(of_all.filter(pk__in=ids).values_list("shown_actor", flat=True)))[:MOST_IN_DATA]
    keys = counted(len(ids), kind.thing)
    were = f"{keys} {'was' if len(ids) == 1 else 'were'} {kind.done}"
    of_whom = {"organization_id": organization.public_id} if organization else {}
    return Announcement(
        organization,
        message_id=f"msg_keys_{ids[0]}",
        event_type=kind.type,
        data={
            **of_whom,
            "count": len(ids),
            "by": by,
            "keys" if organization else "tokens": [_shown(entry) for entry in entries],
        },
        subject=f"{were} in {organization.name}" if organization else were,
        text=f"{were} by {_listed(by, len(by))}: {_listed([_named(entry) for entry in entries], len(ids))}.",
        note="",
        address=address_of(reverse(kind.page, args=[organization.slug] if organization else [])),
    )


def _entries_for_staff() -> "QuerySet[AuditEvent]":
    """Those of no organization, with who acted by name: staff reads them."""
    return AuditEvent.objects.filter(organization__isnull=True).annotate(shown_actor=F("actor_name"))


def _shown(entry: Any) -> dict[str, Any]:
    """A key of `entries_of` in the data of a webhook. `user` is whose it is; an admin key is nobody's.

    A token has no other id than the end of its secret, which is not told.
    """
    shown = {"name": entry.target_name, "at": entry.occurred_at, "by": entry.shown_actor}
    if entry.organization_id is not None:
        shown = {"id": entry.target_id, **shown}
    return shown | {"user": entry.details["user"]} if "user" in entry.details else shown


def _named(entry: Any) -> str:
    whose = f" of {entry.details['user']}" if "user" in entry.details else ""
    return f"“{entry.target_name}”{whose}"


def _listed(names: Sequence[str], number: int) -> str:
    """The first few of so many names, and how many more there are."""
    more = number - min(len(names), MOST_IN_TEXT)
    return ", ".join(names[:MOST_IN_TEXT]) + (f" and {more:,} more" if more else "")
