"""The addresses of Anthropic's admin API, for its own client with another base URL."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.installation.described import READING, Errors
from apikeys.adminkeys.api import AdminView, code_of
from apikeys.adminkeys.authentication import Allowed
from apikeys.models import AdminKey
from exports.admin_api.rendering import ExactJSONRenderer
from exports.anthropic_api import costs, described, ranking, report_requests, reports, requests, shapes, usage
from metering.rollups.freshness import complete_through

ERROR_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class AnthropicView(AdminView):
    """With the shape of errors and the headers of Anthropic's. The stable code of an error, and the parameter that is wrong,
    stand beside what the vendor says."""

    renderer_classes = [ExactJSONRenderer]
    error_answer = shapes.AnthropicError
    audience = READING

    def errors(self) -> Errors:
        return super().errors() | described.ERRORS

    def error_body(self, exc: APIException, *, request_id: str) -> dict[str, Any]:
        return {
            "type": "error",
            "error": {
                "type": ERROR_TYPES.get(exc.status_code, "invalid_request_error"),
                "message": str(exc.detail),
                "code": code_of(exc),
                "param": getattr(exc, "param", None),
            },
            "request_id": request_id,
        }

    def rate_headers(self, allowed: Allowed) -> dict[str, str]:
        reset = timezone.now() + timedelta(seconds=allowed.reset_seconds)
        return {
            "anthropic-ratelimit-requests-limit": str(allowed.limit),
            "anthropic-ratelimit-requests-remaining": str(allowed.remaining),
            "anthropic-ratelimit-requests-reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
        }

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        self._add(response, {"request-id": self.request_id})
        return response


class Analytics(AnthropicView):
    """`data_refreshed_at`: every event that was acknowledged before this moment is in the answer."""

    endpoint: ClassVar[requests.Endpoint]
    read: ClassVar[ranking.Read]
    show: ClassVar[ranking.Show]

    def parameters(self) -> list[OpenApiParameter]:
        return described.rows_parameters(self.endpoint)

    def get(self, request: Request) -> Response:
        asked = requests.read(request.query_params, self.endpoint, self.caller.now)
        kind = type(self)
        return Response(ranking.page_of(self.caller, asked, kind.read, kind.show))


class AnalyticsUsage(Analytics):
    """`GET /v1/organizations/analytics/usage`: what was used, a row for each combination of groups and bucket of time."""

    title = "Usage, a row for each combination"
    scope = AdminKey.Scope.USAGE
    answer = shapes.ANALYTICS_USAGE
    endpoint = requests.USAGE
    read = staticmethod(usage.read)
    show = staticmethod(usage.show)


class AnalyticsCost(Analytics):
    """`GET /v1/organizations/analytics/cost`: what it cost, as `AnalyticsUsage`."""

    title = "Costs, a row for each combination"
    scope = AdminKey.Scope.COSTS
    answer = shapes.ANALYTICS_COST
    endpoint = requests.COST
    read = staticmethod(costs.read)
    show = staticmethod(costs.show)


class Report(AnthropicView):
    """A page of buckets. `x-complete-through`: every event that was acknowledged before this moment is in it."""

    report: ClassVar[report_requests.Report]
    read: ClassVar[reports.Read]

    def parameters(self) -> list[OpenApiParameter]:
        return described.report_parameters(self.report)

    def get(self, request: Request) -> Response:
        asked = report_requests.read(request.query_params, self.report)
        fresh = f"{complete_through():%Y-%m-%dT%H:%M:%SZ}"
        return Response(reports.page_of(self.caller, asked, type(self).read), headers={"x-complete-through": fresh})


class MessagesReport(Report):
    """`GET /v1/organizations/usage_report/messages`: tokens and searches, per bucket of time and group."""

    title = "Tokens of messages, the older report"
    scope = AdminKey.Scope.USAGE
    answer = shapes.MESSAGES
    report = report_requests.MESSAGES
    read = staticmethod(reports.message_results)


class CostReport(Report):
    """`GET /v1/organizations/cost_report`: what all usage cost, per UTC day and group."""

    title = "Costs, the older report"
    scope = AdminKey.Scope.COSTS
    answer = shapes.COSTS
    report = report_requests.COST
    read = staticmethod(reports.cost_results)
