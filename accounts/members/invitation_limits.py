"""How many invitations go out in a day: we are nobody's mail relay, and nobody's mailbox is flooded by us.

Counted from the audit log, which has a row for each email, the ones that were sent again included; and under the routing
lock, so that the count is right with any number of processes.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from accounts.models import AuditEvent, Organization, User

SENT = "invite.sent"
WINDOW = timedelta(days=1)


class TooManyInvitationsError(ValueError):
    """A limit is reached; the message says which."""


def require_within_limits(*, organization: Organization, email: str, inviter: User | None, now: datetime) -> None:
    """Raises TooManyInvitationsError if this email would be one too many of the last 24 hours.

    Until the end of the transaction nobody else counts, so that invitations at once cannot pass the limits together.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('invitation limits'), 0)")
    sent = AuditEvent.objects.filter(event=SENT, occurred_at__gt=now - WINDOW)
    if inviter is not None and sent.filter(actor=inviter).count() >= settings.INVITATIONS_PER_PERSON_AND_DAY:
        raise TooManyInvitationsError("You have reached the daily limit of invitations per person. Try again tomorrow.")
    if sent.filter(organization=organization).count() >= settings.INVITATIONS_PER_ORGANIZATION_AND_DAY:
        raise TooManyInvitationsError(
            f"{organization} has reached the daily limit of invitations per organization. Try again tomorrow."
        )
    if sent.filter(target_name=email).count() >= settings.INVITATIONS_PER_ADDRESS_AND_DAY:
        raise TooManyInvitationsError(f"{email} has received the daily limit of invitations. Try again tomorrow.")
