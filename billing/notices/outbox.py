"""The outbox: what is to be sent is written in the transaction that it tells of, and sent afterwards."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.models import Membership, Organization, User
from accounts.staff.rights import staff_with
from billing.alerts import BudgetAlert, Delivery, News, WebhookEndpoint
from billing.display import dollars
from billing.models import Invoice
from billing.notices import chats

STAFF: Final = "staff"
"""Whom messages without an organization are for, in words."""


@dataclass(frozen=True)
class Announcement:
    """News for an organization: for its owners as an email, for its webhooks as data, for its chats as a sentence; without an
    organization, for the operator's staff.

    `text` is what happened, in one paragraph, `note` what emails say behind it, `address` where it can be looked at.
    """

    organization: Organization | None
    message_id: str
    event_type: str
    data: dict[str, Any]
    subject: str
    text: str
    note: str
    address: str


def budget_alert(alert: BudgetAlert, *, scope: dict[str, str], about: str) -> None:
    """Tell the owners and the webhooks that a threshold was crossed, or that the month is expected to end above the budget.

    `about` is what the budget is about, in a sentence: 'project Search'; empty for the whole organization.
    """
    organization = alert.organization
    month = f"{alert.month:%B %Y}"
    budget = dollars(alert.budget_amount)
    for_what = f" for {about}" if about else ""
    if alert.is_forecast:
        subject = f"{organization.name} is expected to exceed its budget{for_what} for {month}"
        happened = f"{month} is forecast to end at {dollars(alert.spent)}{for_what}, above your budget of {budget}."
    else:
        percent = int(alert.spent * 100 / alert.budget_amount)
        subject = f"{organization.name} has used {alert.threshold}% of its budget{for_what} for {month}"
        happened = f"You've used {dollars(alert.spent)} of your {budget} budget{for_what} for {month} ({percent}%)."
    _announce(
        organization,
        Announcement(
            organization,
            message_id=f"msg_budget_{alert.pk}",
            event_type=News.FORECAST if alert.is_forecast else News.BUDGET,
            data={
                "organization_id": organization.public_id,
                "scope": scope,
                "month": f"{alert.month:%Y-%m}",
                "threshold_percent": alert.threshold,
                "amount": str(alert.spent),
                "budget": str(alert.budget_amount),
                "currency": "USD",
            },
            subject=subject,
            text=happened,
            note="\n\nYou get this email once a month per threshold. View or change the budget:",
            address=_address("billing:budgets", organization.slug),
        ),
    )


def invoice_finalized(invoice: Invoice) -> None:
    """Tell the payer's owners and webhooks that there is an invoice."""
    _announce(
        invoice.payer,
        Announcement(
            invoice.payer,
            message_id=f"msg_invoice_{invoice.pk}",
            event_type=News.INVOICE,
            data={
                "organization_id": invoice.payer.public_id,
                "number": invoice.number,
                "month": f"{invoice.month:%Y-%m}",
                "total": str(invoice.total),
                "amount_due": str(invoice.due),
                "currency": "USD",
                "due_date": str(invoice.due_date),
            },
            subject=f"Invoice {invoice.number} for {invoice.month:%B %Y}: {dollars(invoice.total)}",
            text=_what_is_due(invoice),
            note=" View invoice:",
            address=_address("billing:invoice", invoice.payer.slug, invoice.pk),
        ),
    )


def test_message(endpoint: WebhookEndpoint) -> Delivery:
    """Send a message to the endpoint that says that it is a test, whatever the endpoint is to be told of."""
    organization = endpoint.organization
    now = database_now()
    about = "budgets, invoices and keys" if organization else "this installation"
    news = Announcement(
        organization,
        message_id=f"msg_test_{endpoint.pk}_{int(now.timestamp() * 1000)}",
        event_type="test",
        data={"organization_id": organization.public_id} if organization else {},
        subject=f"A test for {organization.name if organization else STAFF}",
        text=f"This is a test. News of {about} will look like this.",
        note="",
        address=_address("billing:messages", organization.slug) if organization else _address("billing:staff_news"),
    )
    delivery = _to_endpoint(news, endpoint, now)
    delivery.save()
    return delivery


def send_again(delivery: Delivery) -> bool:
    """Send a message that is not waiting once more, under the same id, by which its receiver can know it. False if it waits."""
    with transaction.atomic():
        if delivery.endpoint is not None:
            WebhookEndpoint.objects.filter(pk=delivery.endpoint.pk).update(retry_at=None)
        over = Delivery.objects.filter(Q(next_attempt_at=None) | Q(delivered_at__isnull=False), pk=delivery.pk)
        return bool(over.update(next_attempt_at=database_now(), num_attempts=0, delivered_at=None, last_error=""))


def tell_staff(  # noqa: PLR0913 - what a message is made of
    right: str, *, message_id: str, event_type: str, subject: str, text: str, page: str, part: str = ""
) -> None:
    """To the operator's staff: an email to everyone with this right, which is what the message asks them to use, and to those
    of staff's programs and chats that are to hear of it. `page` is the name of the page where it can be looked at, `part` the
    `#…` of a part of it.
    """
    mail_staff(right, message_id=message_id, event_type=event_type, subject=subject, text=text)
    told = text.strip()
    tell_webhooks(
        Announcement(
            None,
            message_id=message_id,
            event_type=event_type,
            data={"subject": subject, "text": told},
            subject=subject,
            text=told,
            note="",
            address=f"{_address(page)}{part}",
        )
    )


def mail_staff(right: str, *, message_id: str, event_type: str, subject: str, text: str) -> None:
    """An email to everyone of the operator's staff with this right."""
    found = staff_with(right).order_by("email")
    _enqueue(found.values_list("email", flat=True), message_id, event_type, subject, text)


def tell_owners(organization: Organization, *, message_id: str, event_type: str, subject: str, text: str) -> None:
    """An email to each owner of the organization."""
    _enqueue(_owners(organization), message_id, event_type, subject, text, organization)


def _announce(organization: Organization, news: Announcement) -> None:
    """To owners, programs and chats."""
    tell_owners(
        organization,
        message_id=news.message_id,
        event_type=news.event_type,
        subject=news.subject,
        text=f"{news.text}{news.note}\n\n{news.address}\n",
    )
    tell_webhooks(news)


def tell_webhooks(news: Announcement) -> None:
    """Those of the organization's, or staff's, programs and chats that are to hear of such news."""
    endpoints = endpoints_of(news.organization).filter(
        Q(event_types=[]) | Q(event_types__contains=[news.event_type]), switched_off_at__isnull=True
    )
    now = database_now()
    Delivery.objects.bulk_create((_to_endpoint(news, endpoint, now) for endpoint in endpoints), ignore_conflicts=True)


def endpoints_of(organization: Organization | None) -> QuerySet[WebhookEndpoint]:
    """Those of the organization, or of the operator's staff, that were not removed."""
    found = WebhookEndpoint.objects.filter(disabled_at__isnull=True)
    return found.filter(organization__isnull=True) if organization is None else found.filter(organization=organization)


def _to_endpoint(news: Announcement, endpoint: WebhookEndpoint, now: datetime) -> Delivery:
    if endpoint.is_chat:
        body = chats.body_of(endpoint.format, subject=news.subject, text=news.text, address=news.address)
    else:
        told = {"type": news.event_type, "timestamp": now, "data": news.data}
        body = json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":"))
    return Delivery(
        message_id=news.message_id,
        event_type=news.event_type,
        recipient=endpoint.url,
        endpoint=endpoint,
        organization=news.organization,
        subject=news.subject[:200],
        body=body,
    )


def _what_is_due(invoice: Invoice) -> str:
    named = f"Invoice {invoice.number} for {dollars(invoice.total)}"
    if invoice.due == invoice.total:
        return f"{named} is due {_day(invoice.due_date)}."
    if invoice.total < 0:
        return f"{named} was added to your balance and will be used for later invoices."
    if invoice.due == 0:
        return f"{named} was paid from your balance."
    return f"{named}, less your balance, leaves {dollars(invoice.due)} due {_day(invoice.due_date)}."


def _address(name: str, *args: object) -> str:
    return address_of(reverse(name, args=args))


def _day(day: date | None) -> str:
    return f"{day:%B} {day.day}, {day.year}" if day else ""


def _enqueue(  # noqa: PLR0913, PLR0917 - what a message is made of
    recipients: Iterable[str],
    message_id: str,
    event_type: str,
    subject: str,
    text: str,
    organization: Organization | None = None,
) -> None:
    Delivery.objects.bulk_create(
        (
            Delivery(
                message_id=message_id,
                event_type=event_type,
                recipient=email,
                organization=organization,
                subject=subject[:200],
                body=text,
            )
            for email in recipients
        ),
        ignore_conflicts=True,
    )


def may_hear(organization: Organization | None, email: str) -> bool:
    """Whether news of the organization, or of staff, may be sent to this address now."""
    if organization is None:
        return User.objects.filter(is_staff=True, is_active=True, email=email).exists()
    return email in _owners(organization)


def _owners(organization: Organization) -> list[str]:
    owners = Membership.objects.filter(
        organization=organization, role=Membership.Role.OWNER, left_at__isnull=True, user__is_active=True
    )
    return list(owners.order_by("user__email").values_list("user__email", flat=True))
