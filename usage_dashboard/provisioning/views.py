"""The addresses of the provisioning API: each kind as a list, and each thing by the operator's own id."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.installation.described import Described
from usage_dashboard.provisioning.api import OperatorView, RefusedLineError, line_of, scopes_of
from usage_dashboard.provisioning.apply import apply_one
from usage_dashboard.provisioning.described import RESOURCE_ENTRIES, ListingEntry
from usage_dashboard.provisioning.fields import EndFields
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.lines import Decision, Line, RefusedError, Status
from usage_dashboard.provisioning.listing import page_of, window_of


class Listing(OperatorView):
    """`GET /v1/operator/<kind>`: all that was provisioned, in the order in which it was made here, page by page."""

    name: ClassVar[str] = ""

    def described_for(self, method: str) -> Described:  # noqa: ARG002 - the one that it has
        return ListingEntry(self.name)

    def get(self, request: Request) -> Response:
        found = KINDS[self.name]
        self.require_read(found.scope)
        return Response(page_of(found.kind, window_of(request.query_params, found.kind)))


class Resource(OperatorView):
    """`/v1/operator/<kind>/<external_id>`: GET reads it, PUT makes it so, DELETE ends it; its history stays."""

    name: ClassVar[str] = ""

    def described_for(self, method: str) -> Described:
        return RESOURCE_ENTRIES[method.lower()](self.name)

    def get(self, request: Request, external_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        """What was provisioned under this id of yours, ended or not."""
        self.require_read(KINDS[self.name].scope)
        return Response(self._shown(external_id))

    def put(self, request: Request, external_id: str) -> Response:
        """It shall be like this. What is not said stays as it is; a second time changes nothing. 201 if it is new."""
        found = KINDS[self.name]
        self.caller.require(found.scope)
        decision = self._settled(lambda: line_of(self.name, external_id, request.data, found.fields))
        made = {"secret": decision.secret} if decision.secret is not None else {}
        return Response({**self._shown(external_id), **made}, 201 if decision.status == Status.CREATED else 200)

    def delete(self, request: Request, external_id: str) -> Response:
        """It ends; its history stays. A second time changes nothing."""
        self.caller.require(KINDS[self.name].scope)
        self._shown(external_id)
        data = request.query_params.dict()
        self._settled(lambda: line_of(self.name, external_id, data, EndFields, is_end=True))
        return Response(self._shown(external_id))

    def _settled(self, read: Any) -> Decision:
        """Raises RefusedLineError or MissingTokenScopeError."""
        try:
            line: Line = read()
        except RefusedError as error:
            raise RefusedLineError(error) from error
        for scope in scopes_of(line, KINDS[self.name].scope):
            self.caller.require(scope)
        decision = apply_one(line, actor=self.caller.actor)
        if decision.error is not None:
            raise RefusedLineError(decision.error)
        return decision

    def _shown(self, external_id: str) -> Mapping[str, object]:
        """Raises NotFound."""
        kind = KINDS[self.name].kind
        row = kind.rows().filter(external_id=external_id.replace("\0", "")).order_by("-pk").first()
        if row is None:
            raise NotFound(
                f"There is nothing with the id “{external_id[:100]}” among the {kind.name.replace('_', ' ')}."
            )
        return kind.show([row])[0]
