"""What the operator's accounting says: that an invoice is paid, and that a balance was paid back.

With `Authorization: Bearer <OPERATOR_TOKEN>`; without that setting there are no such addresses. Each call may be repeated.
"""

import hmac
from datetime import datetime
from typing import Final, Literal, TypedDict

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.installation.described import INVOICE, OPERATOR, ORGANIZATION, Described, Errors, in_path
from accounts.installation.typed_fields import TypedDecimal, TypedText
from accounts.models import Organization
from billing.invoices import balance, invoices
from billing.invoices.balance import RefundRefusedError
from billing.invoices.invoices import InvoiceRefusedError
from billing.models import Invoice
from billing.money import BILLED_DIGITS

BEARER: Final = "Bearer "
ACTOR: Final = Actor(name="operator token")


class RefundFields(serializers.Serializer[dict[str, object]]):
    """What was paid back, and the caller's own reference of it, by which a repeated call is known."""

    amount = TypedDecimal(max_digits=BILLED_DIGITS, decimal_places=2)
    reference = TypedText(max_length=120)


class PaidInvoice(TypedDict):
    """The invoice as it stands now."""

    number: str
    state: Literal["paid"]
    paid_at: datetime


class MadeRefund(TypedDict):
    """What was paid back, now or when the same was said before, and what is left of the balance; in dollars."""

    amount: str
    reference: str
    balance: str


class OperatorsView(Described, APIView):
    """Opened by the operator's token."""

    audience = OPERATOR

    def errors(self) -> Errors:
        return {
            401: {"unauthorized": "no operator token, or a wrong one"},
            404: {"not_found": "there is no such thing, or this installation has no operator token"},
        }


class InvoicePayment(OperatorsView):
    """`POST /v1/invoices/<number>/payment`: a second time changes nothing."""

    title = "Say that an invoice is paid"
    answer = PaidInvoice

    def parameters(self) -> list[OpenApiParameter]:
        return [in_path("number", "The invoice's number.", INVOICE)]

    def errors(self) -> Errors:
        return super().errors() | {409: {"not_payable": "the invoice is a draft, or void"}}

    def post(self, request: Request, number: str) -> Response:
        if not _is_operator(request):
            return _error(401, "unauthorized", "Send the operator token.")
        invoice = Invoice.objects.filter(number=number).first()
        if invoice is None:
            raise NotFound
        try:
            invoices.mark_paid(invoice, actor=ACTOR, now=database_now())
        except InvoiceRefusedError as error:
            return _error(409, "not_payable", str(error))
        invoice.refresh_from_db()
        return Response({"number": invoice.number, "state": invoice.state, "paid_at": invoice.paid_at})


class Refund(OperatorsView):
    """`POST /v1/organizations/<public id>/refunds`: a second time with the same `reference` changes nothing."""

    title = "Say that a balance was paid back"
    question = RefundFields
    example = {"amount": "12.50", "reference": "bank-2026-11-22-17"}
    answer = MadeRefund

    def parameters(self) -> list[OpenApiParameter]:
        return [in_path("public_id", "The organization that pays.", ORGANIZATION)]

    def errors(self) -> Errors:
        return super().errors() | {
            400: {"invalid_request": "a field is missing or wrong"},
            409: {"not_refundable": "more than the balance, or another amount with this reference"},
        }

    def post(self, request: Request, public_id: str) -> Response:
        if not _is_operator(request):
            return _error(401, "unauthorized", "Send the operator token.")
        payer = Organization.objects.filter(public_id=public_id).first()
        if payer is None:
            raise NotFound
        fields = RefundFields(data=request.data)
        if not fields.is_valid():
            return _error(400, "invalid_request", " ".join(f"{name}: {why[0]}" for name, why in fields.errors.items()))
        try:
            made = balance.refund(payer, actor=ACTOR, **fields.validated_data)
        except RefundRefusedError as error:
            return _error(409, "not_refundable", str(error))
        left = balance.balance_of(payer.pk)
        return Response({"amount": f"{made.amount:.2f}", "reference": made.reference, "balance": f"{left:.2f}"})


def _is_operator(request: Request) -> bool:
    """Whether the token is there and right. Raises NotFound where the installation has none."""
    if not settings.OPERATOR_TOKEN:
        raise NotFound
    sent = request.headers.get("Authorization", "")
    return hmac.compare_digest(sent.encode(), f"{BEARER}{settings.OPERATOR_TOKEN}".encode())


def _error(status: int, code: str, message: str) -> Response:
    return Response({"error": {"code": code, "message": message}}, status)
