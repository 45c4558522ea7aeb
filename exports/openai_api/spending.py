"""Budgets of the whole organization as OpenAI's admin API shows them: a hard one is its spend limit, shares of it are alerts."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.installation.described import READING, Errors, in_path
from accounts.models import Membership, Organization
from apikeys.adminkeys.api import AdminView
from apikeys.adminkeys.authentication import AdminCaller
from apikeys.models import AdminKey
from billing.alerts import Budget, BudgetKind
from exports.admin_api.query_strings import gathered
from exports.openai_api import shapes
from exports.openai_api.described import LIST_ERRORS, NOT_FOUND, ORDER, list_parameters
from exports.openai_api.lists import window_of


class SpendLimit(AdminView):
    """`GET /v1/organization/spend_limit`: 404 where the budget ends nothing, or there is none."""

    title = "Show the spend limit"
    audience = READING
    answer = shapes.SpendLimit
    scope = AdminKey.Scope.COSTS

    def errors(self) -> Errors:
        return super().errors() | {404: {"not_found": "no budget of the organization ends anything"}}

    def get(self, request: Request) -> Response:  # noqa: ARG002 - the framework's signature
        budget = _budget(self.caller.organization)
        if budget is None or not budget.is_hard:
            raise Http404("No budget of the organization ends anything.")
        return Response(
            {
                "object": "organization.spend_limit",
                "threshold_amount": _cents(budget.amount),
                "currency": "USD",
                "interval": "month",
                "enforcement": {"status": "enforcing"},
            }
        )


class SpendAlerts(AdminView):
    """`GET /v1/organization/spend_alerts`: one for each share of the budget at which owners are told, few enough for one page."""

    title = "List spend alerts"
    audience = READING
    answer = shapes.List[shapes.SpendAlert]
    scope = AdminKey.Scope.COSTS

    def parameters(self) -> list[OpenApiParameter]:
        return list_parameters(ORDER, OpenApiParameter("before", str, description="Read, and of no effect."))

    def errors(self) -> Errors:
        return super().errors() | LIST_ERRORS

    def get(self, request: Request) -> Response:
        window = window_of(gathered(request.query_params), known=("order", "before"))
        alerts = alerts_of(self.caller)
        alerts = alerts[::-1] if window.is_descending else alerts
        ids = [found["id"] for found in alerts]
        begin = ids.index(window.after) + 1 if window.after in ids else 0
        data = alerts[begin : begin + window.limit]
        return Response(
            {
                "object": "list",
                "data": data,
                "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None,
                "has_more": begin + len(data) < len(alerts),
            }
        )


class OneSpendAlert(AdminView):
    """`GET /v1/organization/spend_alerts/{id}`."""

    title = "Show a spend alert"
    audience = READING
    answer = shapes.SpendAlert
    scope = AdminKey.Scope.COSTS

    def parameters(self) -> list[OpenApiParameter]:
        return [in_path("public_id", "The id of the alert.", "alert_80")]

    def errors(self) -> Errors:
        return super().errors() | NOT_FOUND

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        alert = next((found for found in alerts_of(self.caller) if found["id"] == public_id), None)
        if alert is None:
            raise Http404("The organization's budget has no such share.")
        return Response(alert)


def alerts_of(caller: AdminCaller) -> list[dict[str, Any]]:
    """The shares of the budget. Who is told of them, a key reads that may read members."""
    budget = _budget(caller.organization)
    if budget is None:
        return []
    recipients = _owners(caller.organization) if AdminKey.Scope.MEMBERS in caller.key.scopes else []
    return [
        {
            "object": "organization.spend_alert",
            "id": f"alert_{threshold}",
            "threshold_amount": _cents(budget.amount * threshold / 100),
            "currency": "USD",
            "interval": "month",
            "notification_channel": {"type": "email", "recipients": recipients, "subject_prefix": None},
        }
        for threshold in sorted(budget.thresholds)
    ]


def _owners(organization: Organization) -> list[str]:
    owners = Membership.objects.filter(organization=organization, role=Membership.Role.OWNER, left_at__isnull=True)
    return list(owners.order_by("pk").values_list("user__email", flat=True))


def _budget(organization: Organization) -> Budget | None:
    return Budget.objects.filter(organization=organization, kind=BudgetKind.ORGANIZATION).first()


def _cents(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value(ROUND_HALF_EVEN))
