"""The outbox: what is to be sent is written in the transaction that it tells of, and sent afterwards."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse

from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.models import Membership, Organization
from accounts.staff.rights import staff_with
from billing.alerts import BudgetAlert, Delivery, WebhookEndpoint
from billing.display import dollars
from billing.models import Invoice


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
        message_id=f"msg_budget_{alert.pk}",
        event_type="budget.forecast_exceeded" if alert.is_forecast else "budget.threshold_reached",
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
        text=f"{happened}\n\nYou get this email once a month per threshold. View or change the budget:\n\n"
        f"{_address('billing:budgets', organization.slug)}\n",
    )


def invoice_finalized(invoice: Invoice) -> None:
    """Tell the payer's owners and webhooks that there is an invoice."""
    _announce(
        invoice.payer,
        message_id=f"msg_invoice_{invoice.pk}",
        event_type="invoice.finalized",
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
        text=f"{_what_is_due(invoice)} View invoice:\n\n{_address('billing:invoice', invoice.payer.slug, invoice.pk)}\n",
    )


def tell_staff(right: str, *, message_id: str, event_type: str, subject: str, text: str) -> None:
    """An email to everyone of the operator's staff with this right, which is what the message asks them to use."""
    found = staff_with(right).order_by("email")
    _enqueue(found.values_list("email", flat=True), message_id, event_type, subject, text)


def tell_owners(organization: Organization, *, message_id: str, event_type: str, subject: str, text: str) -> None:
    """An email to each owner of the organization."""
    _enqueue(_owners(organization), message_id, event_type, subject, text)


def _announce(  # noqa: PLR0913 - one keyword for each part of a message
    organization: Organization, *, message_id: str, event_type: str, data: dict[str, Any], subject: str, text: str
) -> None:
    body = {"type": event_type, "timestamp": database_now(), "data": data}
    payload = json.dumps(body, cls=DjangoJSONEncoder, separators=(",", ":"))
    tell_owners(organization, message_id=message_id, event_type=event_type, subject=subject, text=text)
    Delivery.objects.bulk_create(
        (
            Delivery(
                message_id=message_id, event_type=event_type, recipient=endpoint.url, endpoint=endpoint, body=payload
            )
            for endpoint in WebhookEndpoint.objects.filter(
                organization=organization, disabled_at__isnull=True, switched_off_at__isnull=True
            )
        ),
        ignore_conflicts=True,
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


def _enqueue(recipients: Iterable[str], message_id: str, event_type: str, subject: str, text: str) -> None:
    Delivery.objects.bulk_create(
        (
            Delivery(message_id=message_id, event_type=event_type, recipient=email, subject=subject[:200], body=text)
            for email in recipients
        ),
        ignore_conflicts=True,
    )


def _owners(organization: Organization) -> list[str]:
    owners = Membership.objects.filter(
        organization=organization, role=Membership.Role.OWNER, left_at__isnull=True, user__is_active=True
    )
    return list(owners.order_by("user__email").values_list("user__email", flat=True))
