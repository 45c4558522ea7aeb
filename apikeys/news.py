"""Keys that were made or revoked: an entry in the audit log, and a note for whoever tells organizations, or staff, of it.

The note is written with the entry and taken away by the one who tells (`billing.notices.key_news`): no app above is called
from here, and nothing is told that did not happen.
"""

from collections.abc import Iterable
from typing import Unpack

from accounts.audit import audit
from accounts.audit.audit import Said
from accounts.models import AuditEvent
from apikeys.models import KeyNews


def record(event: str, **said: Unpack[Said]) -> None:
    """As `audit.record`, and the organization hears of it."""
    _note([audit.record(event, **said)])


def record_all(entries: Iterable[AuditEvent]) -> None:
    """As `audit.record_all`, and each organization hears of its own."""
    _note(audit.record_all(entries))


def record_for_staff(event: str, **said: Unpack[Said]) -> None:
    """As `audit.record`, of what is no organization's, and the operator's staff hears of it."""
    KeyNews.objects.create(entry=audit.record(event, **said), event=event)


def _note(entries: list[AuditEvent]) -> None:
    """Of a person without a default organization nobody hears."""
    KeyNews.objects.bulk_create(
        (
            KeyNews(entry=entry, organization_id=entry.organization_id, event=entry.event)
            for entry in entries
            if entry.organization_id is not None
        ),
        batch_size=audit.BATCH_SIZE,
    )
