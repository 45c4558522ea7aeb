"""`POST /v1/invoices/<number>/payment`: the operator's accounting says that an invoice is paid."""

import hmac

from django.conf import settings
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.audit import Actor
from accounts.clock import database_now
from billing import invoices
from billing.models import Invoice

BEARER = "Bearer "


class InvoicePayment(APIView):
    """With `Authorization: Bearer <OPERATOR_TOKEN>`; without that setting there is no such address. Safe to repeat."""

    def post(self, request: Request, number: str) -> Response:
        if not settings.OPERATOR_TOKEN:
            raise NotFound
        if not _is_operator(request):
            return Response({"error": {"code": "unauthorized", "message": "Send the operator token."}}, 401)
        invoice = Invoice.objects.filter(number=number).first()
        if invoice is None:
            raise NotFound
        try:
            invoices.mark_paid(invoice, actor=Actor(name="operator token"), now=database_now())
        except invoices.InvoiceRefusedError as error:
            return Response({"error": {"code": "not_payable", "message": str(error)}}, 409)
        invoice.refresh_from_db()
        return Response({"number": invoice.number, "state": invoice.state, "paid_at": invoice.paid_at})


def _is_operator(request: Request) -> bool:
    sent = request.headers.get("Authorization", "")
    return hmac.compare_digest(sent.encode(), f"{BEARER}{settings.OPERATOR_TOKEN}".encode())
