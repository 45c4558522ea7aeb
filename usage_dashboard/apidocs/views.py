"""`/api/schema`: the description of the API for programs."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from usage_dashboard.apidocs import generator

YAML_TYPE: Final = "application/yaml"  # RFC 9512


@require_safe
def schema_json(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - it is the same for everybody
    """OpenAPI 3.1 as JSON."""
    return HttpResponse(generator.as_json(), content_type="application/json")


@require_safe
def schema_yaml(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - it is the same for everybody
    """The same as YAML."""
    return HttpResponse(generator.as_yaml(), content_type=YAML_TYPE)
