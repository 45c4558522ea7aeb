"""The FOCUS files for programs, with an admin key of the payer."""

from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.audit.audit import Actor
from apikeys.adminkeys.api import AdminView, InvalidRequestError
from apikeys.models import AdminKey
from exports.focus.datasets import COST_AND_USAGE
from exports.focus.requests import file_of, read_wanted
from exports.forms import RefusedExportError


class FocusFile(AdminView):
    """`GET /v1/organization/focus?dataset=…&start=…&end=…&format=…`: the file, streamed.

    Every file says what is on invoices, and that of cost and usage what usage costs too: it needs both scopes.
    """

    scope: ClassVar[str] = AdminKey.Scope.INVOICES

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
        return file_of(wanted, self.caller.organizations, actor=Actor(name=self.caller.key.name))
