"""Sending what is in the outbox: claimed in one transaction, sent outside of any, its outcome written in another.

While a message is sent, nothing is locked and no transaction is open, however long the receiver takes. A claim expires:
should a worker die, the message goes out again under the same id (`webhook-id`, `Message-ID`), by which the receiver knows
it. Webhooks go out one at a time for each organization, so that a slow receiver delays its own organization's alone; and all
receivers that are slow, failing or new have a few places together, however many organizations somebody makes for them.
"""

import hashlib
import logging
import smtplib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.clock import database_now
from accounts.installation.encryption import UnreadableSecretError
from accounts.mail import unlinked
from billing.alerts import Delivery, StaffNews
from billing.notices import endpoints, webhooks
from billing.notices.endpoints import WAITS
from metering import isolation

logger = logging.getLogger(__name__)
TASK: Final = "billing.notices.deliveries"
SLOW: Final = Q(endpoint__is_quick=False)
WHOSE: Final = Coalesce("endpoint__organization", 0)
"""The organization of an endpoint, and 0 for those of staff, which are sent one at a time as well."""
NEWS_OF_FAILURES: Final = StaffNews.FAILED
RUN_SECONDS: Final = 5.0
"""How long a run begins new messages; the next one is due by then, and threads are shared fairly between its kinds."""
MAIL_CLAIM: Final = timedelta(minutes=5)
WEBHOOK_CLAIM_MARGIN: Final = timedelta(seconds=20)
CLAIMING_LOCK: Final = 0x5553_4147_4506  # an advisory lock's key: any number that nothing else here uses
EXPECTED_ERRORS: Final = (OSError, smtplib.SMTPException, webhooks.WebhookError, UnreadableSecretError)
"""What receivers and servers do. Everything else is a fault of the message or of ours, and staff are told."""


def deliver_waiting() -> int:
    """Send what is due, emails and webhooks; returns how many messages went out."""
    return deliver_mails() + deliver_webhooks()


def deliver_mails() -> int:
    """Send the emails that are due; returns how many went out. Any number of workers may do so at once."""
    return _deliver(_claim_mail)


def deliver_webhooks() -> int:
    """Send the webhooks that are due; returns how many went out. Any number of workers may do so at once."""
    return _deliver(_claim_webhook)


def _deliver(claim: Callable[[], Delivery | None]) -> int:
    num_sent = 0
    ends = time.monotonic() + RUN_SECONDS
    while time.monotonic() < ends and (claimed := claim()) is not None:
        num_sent += _attempt(claimed)
    return num_sent


def _claim_mail() -> Delivery | None:
    with transaction.atomic():
        due = _due().filter(endpoint=None).order_by("next_attempt_at", "id")
        return _claimed(due.select_for_update(skip_locked=True).first(), MAIL_CLAIM)


def _claim_webhook() -> Delivery | None:
    """The oldest of those whose organization is not being sent anything; quick endpoints come first, those that fail last."""
    with transaction.atomic():
        with connection.cursor() as cursor:  # or two workers would find the same organization free
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIMING_LOCK])
        now = database_now()
        being_sent = Delivery.objects.alias(whose=WHOSE).filter(
            whose=OuterRef("whose"), endpoint__isnull=False, claimed_until__gt=now
        )
        due = (
            _due()
            .alias(whose=WHOSE)
            .filter(
                Q(endpoint__retry_at=None) | Q(endpoint__retry_at__lte=now), ~Exists(being_sent), endpoint__isnull=False
            )
        )
        if Delivery.objects.filter(SLOW, claimed_until__gt=now).count() >= settings.WEBHOOK_SLOW_AT_ONCE:
            due = due.exclude(SLOW)
        first = "-endpoint__is_quick", F("endpoint__failing_since").asc(nulls_first=True)
        found = due.select_related("endpoint").order_by(*first, "next_attempt_at", "id").first()
        return _claimed(found, timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS) + WEBHOOK_CLAIM_MARGIN)


def _due() -> QuerySet[Delivery]:
    now = database_now()
    return Delivery.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=now), next_attempt_at__lte=now)


def _claimed(found: Delivery | None, duration: timedelta) -> Delivery | None:
    """The attempt counts from now on: a message that ends its worker is given up in the end as well."""
    if found is not None:
        found.claimed_until = database_now() + duration
        found.num_attempts += 1
        found.save(update_fields=["claimed_until", "num_attempts"])
    return found


def _attempt(delivery: Delivery) -> bool:
    """Whether the message went out; whatever is raised is its failure and nobody else's."""
    began_at = time.monotonic()
    try:
        _send(delivery)
    except Exception as error:  # noqa: BLE001 - any is an attempt of this message, and written down as one
        _settle(delivery, error)
        return False
    _settle(delivery, None, seconds=time.monotonic() - began_at)
    return True


def _send(delivery: Delivery) -> None:
    if delivery.num_attempts > len(WAITS) + 1:
        raise _NotWantedError("The programs that sent it ended each time before they knew the outcome.")
    if delivery.endpoint is None:
        _send_email(delivery)
        return
    if delivery.endpoint.disabled_at or delivery.endpoint.switched_off_at:
        raise _NotWantedError("The webhook is switched off.")
    if delivery.endpoint.is_chat:
        webhooks.post_to_chat(delivery.endpoint.secret, body=delivery.body.encode())
    else:
        webhooks.post(
            delivery.endpoint.url,
            delivery.endpoint.secret,
            message_id=delivery.message_id,
            timestamp=int(database_now().timestamp()),
            body=delivery.body.encode(),
        )


class _NotWantedError(Exception):
    """The message is not sent any more, through no fault of the endpoint's."""


def _send_email(delivery: Delivery) -> None:
    recipient = hashlib.sha256(delivery.recipient.encode()).hexdigest()[:12]
    EmailMessage(
        subject=" ".join(delivery.subject.split()),
        body=unlinked(delivery.body),  # names of models and people in it are not ours
        to=[delivery.recipient],
        headers={"Message-ID": f"<{delivery.message_id}.{recipient}@usage-dashboard>"},
    ).send()


def _settle(delivery: Delivery, error: Exception | None, *, seconds: float = 0) -> None:
    """Write down how it went and how long that took, unless the claim expired meanwhile and the message is somebody else's."""
    message = _sentence(error)
    with transaction.atomic():
        now = database_now()
        is_over = error is None or isinstance(error, _NotWantedError) or delivery.num_attempts > len(WAITS)
        Delivery.objects.filter(pk=delivery.pk, num_attempts=delivery.num_attempts).update(
            claimed_until=None,
            delivered_at=None if error else now,
            last_error=message,
            next_attempt_at=None if is_over else now + WAITS[delivery.num_attempts - 1],
        )
        if delivery.endpoint and error is None:
            endpoints.note_success(delivery.endpoint, seconds=seconds)
        elif delivery.endpoint and not isinstance(error, _NotWantedError):
            is_gone = isinstance(error, webhooks.WebhookGoneError)
            endpoints.note_failure(delivery.endpoint, message, now=now, is_gone=is_gone)
    if error is not None:
        _report(delivery, error, is_over=is_over)


def _sentence(error: Exception | None) -> str:
    return "" if error is None else (str(error) or type(error).__name__).replace("\0", "")[:200]


def _report(delivery: Delivery, error: Exception, *, is_over: bool) -> None:
    """To the log and, if it is not the receiver's doing, to staff; news of failures make no more of them."""
    if isinstance(error, _NotWantedError):
        return
    if not isinstance(error, EXPECTED_ERRORS):
        logger.error("Delivery %s (%s) failed", delivery.pk, delivery.event_type, exc_info=error)
        if delivery.event_type != NEWS_OF_FAILURES:
            isolation.count_failure(TASK, f"{delivery.event_type} {delivery.message_id} ({delivery.pk})", error)
    elif is_over:
        logger.error("Delivery %s (%s) is given up: %s", delivery.pk, delivery.event_type, type(error).__name__)
