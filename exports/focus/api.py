"""The FOCUS files for programs, with an admin key of the payer."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.audit.audit import Actor
from accounts.installation.described import FINANCE, MONTH, Errors, example_of
from apikeys.adminkeys.api import AdminView, InvalidRequestError
from apikeys.models import AdminKey
from exports.focus.datasets import CONTENT_TYPES, COST_AND_USAGE, CSV_FORMAT, DATASETS, formats
from exports.focus.requests import file_of, read_wanted
from exports.forms import RefusedExportError


class FocusFile(AdminView):
    """`GET /v1/organization/focus?dataset=…&start=…&end=…&format=…`: the file, streamed.

    Every file says what is on invoices, and that of cost and usage what usage costs too: it needs both scopes.
    """

    title = "Take a FOCUS file"
    audience = FINANCE
    answer = {"type": "string"}
    scope: ClassVar[str] = AdminKey.Scope.INVOICES

    @property
    def media_types(self) -> Sequence[str]:  # type: ignore[override] # of this installation
        return [CONTENT_TYPES[word].partition(";")[0] for word in formats()]

    def parameters(self) -> list[OpenApiParameter]:
        words, day = [found.word for found in DATASETS], {"type": "string", "format": "date"}
        days = f"at most {settings.FOCUS_MAX_DAYS} days together"
        return [
            OpenApiParameter("dataset", str, enum=words, default=COST_AND_USAGE.word, description="Which file."),
            OpenApiParameter("format", str, enum=list(formats()), default=CSV_FORMAT, description="How it is written."),
            OpenApiParameter("start", day, description="The first day (UTC). With `end` or `last`, or `month` alone."),
            OpenApiParameter("end", day, description=f"The day after the last one; {days}."),
            OpenApiParameter("last", day, description="The last day, in place of `end`."),
            OpenApiParameter(
                "month",
                str,
                pattern="^[0-9]{4}-[0-9]{2}$",
                description="All days of a month.",
                examples=example_of(MONTH),
            ),
        ]

    def errors(self) -> Errors:
        refused = "a file, a format or a range that cannot be"
        return super().errors() | {
            400: {"invalid_request": refused, "array_above_max_length": "more than a thousand parameters"}
        }

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - the framework's
        """Errors are JSON, whatever the file's format is and whatever the client says that it takes."""
        return JSONRenderer(), JSONRenderer.media_type

    def get(self, request: Request) -> HttpResponseBase:
        try:
            wanted = read_wanted(request.query_params, self.caller.now.date())
        except RefusedExportError as error:
            raise InvalidRequestError(str(error)) from None
        if wanted.dataset == COST_AND_USAGE:
            self.caller.require(AdminKey.Scope.COSTS)
        return file_of(request, wanted, self.caller.organizations, actor=Actor(name=self.caller.key.name))
