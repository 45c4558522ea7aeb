"""The addresses of webhooks: added and removed by owners, or by staff for staff, switched off when nothing reaches them for long.

An endpoint that fails is left alone for longer and longer, with all of its messages: one that is slow or gone costs the
senders a few attempts in days, not one for each message.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from accounts.addresses import shortened
from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.clock import database_now
from accounts.installation import encryption
from accounts.installation.site import address_of
from accounts.models import Organization
from accounts.pages.words import counted
from billing.alerts import WEBHOOK_SECRETS, WebhookEndpoint, WebhookFormat
from billing.notices import outbox, webhooks

WAITS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long to wait after each failure in a row, as the Standard Webhooks specification suggests for a message."""
SEES: Final = "billing.view_webhookendpoint"
CHANGES: Final = "billing.change_webhookendpoint"
"""The rights of staff to see their own webhooks, and to change them."""
STAFF_LOCK: Final = 0x5553_4147_4508  # an advisory lock's key: any number that nothing else here uses
QUICK_SECONDS: Final = 2.0
STILL_THERE: Final = {"failing_since": None, "num_failures": 0, "retry_at": None, "last_error": ""}


class EndpointRefusedError(ValueError):
    """An address that cannot be added; the message says why."""


def add(
    organization: Organization | None,
    address: str,
    *,
    actor: Actor,
    format: WebhookFormat = WebhookFormat.STANDARD,  # noqa: A002 - what the field is called
    event_types: Sequence[str] = (),
) -> WebhookEndpoint:
    """Send the organization's news, or staff's without one, to a checked address: those of `event_types`, all without any.

    The secret that signs them is shown once; a chat's address is its secret, and not shown again. Raises
    EndpointRefusedError.
    """
    is_chat = format != WebhookFormat.STANDARD
    url, sealed = (named(address), seal(address)) if is_chat else (address, seal(webhooks.new_secret()))
    with transaction.atomic():
        _lock(organization)
        if outbox.endpoints_of(organization).count() >= settings.WEBHOOK_MAX_ENDPOINTS:
            who = "An organization" if organization else "Staff"
            raise EndpointRefusedError(f"{who} can have at most {counted(settings.WEBHOOK_MAX_ENDPOINTS, 'webhook')}.")
        try:
            with transaction.atomic():
                added = WebhookEndpoint.objects.create(
                    organization=organization,
                    url=url,
                    format=format,
                    event_types=list(event_types),
                    encrypted_secret=sealed,
                )
        except IntegrityError as error:
            raise EndpointRefusedError("This URL is already registered.") from error
        _record("webhook.created", added, actor)
    return added


def remove(endpoint: WebhookEndpoint, *, actor: Actor) -> None:
    """Send nothing more there, for good."""
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(disabled_at=database_now())
        _record("webhook.removed", endpoint, actor)


def switch_on(endpoint: WebhookEndpoint, *, actor: Actor) -> None:
    """Send again what happens from now on to an endpoint that was switched off."""
    with transaction.atomic():
        off = WebhookEndpoint.objects.filter(pk=endpoint.pk, switched_off_at__isnull=False)
        if off.update(switched_off_at=None, **STILL_THERE):
            _record("webhook.switched_on", endpoint, actor)


def note_success(endpoint: WebhookEndpoint, *, seconds: float) -> None:
    """The endpoint took a message in so many seconds: earlier failures count no more."""
    found = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    found.filter(failing_since__isnull=False).update(**STILL_THERE)
    is_quick = seconds <= QUICK_SECONDS
    found.exclude(is_quick=is_quick).update(is_quick=is_quick)


def note_failure(endpoint: WebhookEndpoint, message: str, *, now: datetime, is_gone: bool) -> None:
    """The endpoint took nothing: it rests, and after WEBHOOK_OFF_AFTER_HOURS of that, or if it says so, it is switched off."""
    with transaction.atomic():
        found = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("organization")
        failing = found.get(pk=endpoint.pk)
        failing.retry_at = now + WAITS[min(failing.num_failures, len(WAITS) - 1)]
        failing.failing_since = failing.failing_since or now
        failing.num_failures += 1
        failing.is_quick = False
        failing.last_error = message
        is_over = now - failing.failing_since >= timedelta(hours=settings.WEBHOOK_OFF_AFTER_HOURS)
        if failing.switched_off_at is None and failing.disabled_at is None and (is_gone or is_over):
            failing.switched_off_at = now
            _tell_of_end(failing)
            _record("webhook.switched_off", failing, SYSTEM_ACTOR, error=message)
        failing.save()


def named(address: str) -> str:
    """A chat's address without what lets others write there: its host, and a mark by which people tell two apart."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/…{hashlib.sha256(address.encode()).hexdigest()[:6]}"


def seal(secret: str) -> str:
    """A secret as it is stored."""
    return encryption.encrypt(secret, purpose=WEBHOOK_SECRETS)


def _lock(organization: Organization | None) -> None:
    """Nobody else adds one to the same meanwhile."""
    if organization is not None:
        Organization.objects.select_for_update(of=("self",), no_key=True).get(pk=organization.pk)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STAFF_LOCK])


def _tell_of_end(endpoint: WebhookEndpoint) -> None:
    """An email to those who can switch it on again."""
    organization = endpoint.organization
    named = {
        "message_id": f"msg_off_{endpoint.pk}_{endpoint.switched_off_at:%Y%m%d%H%M%S}",
        "event_type": "webhook.switched_off",
        "subject": f"A webhook of {organization.name if organization else outbox.STAFF} was switched off",
    }
    happened = (
        f"No delivery to {endpoint.url} has succeeded since {endpoint.failing_since:%B %d, %Y, %H:%M} UTC."
        f" Last error: {endpoint.last_error}\n\nNo more events are sent there. Once it works again,"
    )
    if organization is None:
        page = address_of(reverse("billing:staff_news"))
        text = f"{happened} it can be switched on under News in staff's area:\n\n{page}\n"
        outbox.mail_staff(CHANGES, text=text, **named)
    else:
        page = address_of(reverse("billing:billing", args=[organization.slug]))
        text = f"{happened} owners can switch it on under Webhooks on the Billing page:\n\n{page}\n"
        outbox.tell_owners(organization, text=text, **named)


def _record(event: str, endpoint: WebhookEndpoint, actor: Actor, **details: object) -> None:
    """Entries are read by more people than may know an address, and the path of one may be a secret."""
    organization = endpoint.organization
    audit.record(
        event,
        actor=actor,
        organization=organization,
        target_id=organization.public_id if organization else str(endpoint.pk),
        target_name=organization.name if organization else outbox.STAFF,
        details={"url": endpoint.url if endpoint.is_chat else shortened(endpoint.url), **details},
    )
