"""The addresses of OpenAI's admin API that tell of usage and costs, for its own client with another base URL."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.installation.described import READING, Errors
from apikeys.adminkeys.api import AdminView
from apikeys.models import AdminKey
from exports.admin_api.rendering import ExactJSONRenderer
from exports.openai_api import parameters, results
from exports.openai_api.described import PAGE_ERRORS, page_parameters
from exports.openai_api.endpoints import COSTS, Endpoint
from exports.openai_api.pages import Read, page_of
from exports.openai_api.shapes import page_shape
from metering.rollups.freshness import complete_through


class Page(AdminView):
    """A page of buckets. `x-complete-through`: every event that was acknowledged before this moment is in it."""

    renderer_classes = [ExactJSONRenderer]
    audience = READING
    endpoint: Endpoint
    read: ClassVar[Read]

    @property
    def answer(self) -> Any:
        return page_shape(self.endpoint)

    def parameters(self) -> list[OpenApiParameter]:
        return page_parameters(self.endpoint)

    def errors(self) -> Errors:
        return super().errors() | PAGE_ERRORS

    def get(self, request: Request) -> Response:
        asked = parameters.read(request.query_params, self.endpoint)
        fresh = f"{complete_through():%Y-%m-%dT%H:%M:%SZ}"
        return Response(page_of(self.caller, asked, type(self).read), headers={"x-complete-through": fresh})


class Usage(Page):
    """`GET /v1/organization/usage/…`: what was used, per bucket of time and group."""

    scope = AdminKey.Scope.USAGE
    endpoint: Endpoint = COSTS  # named where the address is: `as_view(endpoint=…)`
    read = staticmethod(results.usage_results)

    @property
    def title(self) -> str:  # type: ignore[override] # of each address its own
        return f"Usage of {self.endpoint.name.replace('_', ' ')}"


class Costs(Page):
    """`GET /v1/organization/costs`: what it cost, per UTC day and group."""

    title = "Costs"
    scope = AdminKey.Scope.COSTS
    endpoint = COSTS
    read = staticmethod(results.cost_results)
