"""From a view to its entry in the description: what it says of itself (`accounts.installation.described`), or its serializers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, is_serializer
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, OpenApiResponse

from accounts.installation.described import OPERATOR, Described, example_of
from usage_dashboard.apidocs import shapes
from usage_dashboard.apidocs.security import OPERATOR_SCHEMES, register

VERSION_PREFIX: Final = re.compile(r"^/(api/)?v1/")
ADDRESS_BEFORE: Final = re.compile(r"^`(?:GET|POST|PUT|PATCH|DELETE) [^`]*`[:.]?\s*")
JSON_TYPE: Final = "application/json"
PARAMETER: Final = re.compile(r"\{(\w+)\}")


def operation_id(method: str, path: str) -> str:
    """Of `GET /v1/organization/projects/{public_id}`: `get_organization_projects_by_public_id`. It changes with the address
    alone."""
    words = re.split(r"[/\-.]", PARAMETER.sub(r"by_\1", VERSION_PREFIX.sub("", path)))
    return "_".join([method.lower(), *filter(None, words)])


class ViewSchema(AutoSchema):
    """The entry of one method of one view."""

    method: str
    path: str
    registry: ComponentRegistry

    @property
    def described(self) -> Described | None:
        view = self.view
        return view.described_for(self.method) if isinstance(view, Described) else None

    def get_operation_id(self) -> str:
        return operation_id(self.method, self.path)

    def get_summary(self) -> str | None:
        return self.described.title if self.described else super().get_summary()

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular has it
        """The view's docstring, without the address that stands before it there."""
        text = ADDRESS_BEFORE.sub("", super().get_description())
        return text[:1].upper() + text[1:] or f"{self.get_summary()}."

    def get_tags(self) -> list[str]:
        return [self.described.audience] if self.described else super().get_tags()

    def get_override_parameters(self) -> list[Any]:
        return [*self.described.parameters(), *_answer_headers(self.described)] if self.described else []

    def get_request_serializer(self) -> Any:
        if self.described is None:
            return super().get_request_serializer()
        if self.described.question is None:
            return None
        examples = example_of(self.described.example) if self.described.example is not None else []
        return {self.described.takes: OpenApiRequest(self._shape(self.described.question), examples=examples)}

    def get_response_serializers(self) -> Any:
        described = self.described
        if described is None:
            return super().get_response_serializers()
        errors = shapes.schema_of(described.error_answer, self.registry)
        answered = OpenApiResponse(self._shape(described.answer), "Answered.")
        made = OpenApiResponse(self._shape(described.answer), "Made.")
        made_too = {(201, *described.media_types): made} if described.makes else {}
        return {(200, *described.media_types): answered, **made_too} | {
            (status, JSON_TYPE): OpenApiResponse(shapes.error_schema(errors, codes), shapes.said(codes))
            for status, codes in sorted(described.errors().items())
        }

    def get_auth(self) -> list[dict[str, Any]]:
        """Views that look at the operator's token themselves have no authenticator to ask."""
        is_operators = self.described is not None and self.described.audience == OPERATOR
        if not is_operators or self.view.get_authenticators():
            return list(super().get_auth())
        return register(OPERATOR_SCHEMES, self.registry)

    def _shape(self, shape: Any) -> Any:
        return shape if is_serializer(shape) else shapes.schema_of(shape, self.registry)


def _answer_headers(described: Described) -> Sequence[OpenApiParameter]:
    headers: Mapping[str, str] = getattr(described, "answer_headers", {})
    return [
        OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text, response=True)
        for name, text in headers.items()
    ]
