"""`/api/schema`: the description of the API for programs; `/api/docs`: the same for people, with examples to copy."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.clock import database_now
from accounts.installation import described
from accounts.installation.site import address_of
from accounts.models import User
from accounts.pages.frame import user_frame
from usage_dashboard.apidocs import generator
from usage_dashboard.apidocs.own import Own, own_of
from usage_dashboard.apidocs.page import sections

PAGE: Final = "api_docs"
YAML_TYPE: Final = "application/yaml"  # RFC 9512


@require_safe
def schema_json(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - it is the same for everybody
    """OpenAPI 3.1 as JSON."""
    return HttpResponse(generator.as_json(), content_type="application/json")


@require_safe
def schema_yaml(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - it is the same for everybody
    """The same as YAML."""
    return HttpResponse(generator.as_yaml(), content_type=YAML_TYPE)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """The page for everybody; with the ids of a reader who is signed in."""
    user = request.user if isinstance(request.user, User) else None
    own = own_of(user, database_now())
    context = {
        "layout": "apidocs/signed_out.html" if user is None else "base.html",
        "frame": None if user is None else user_frame(user, page=PAGE),
        "own": own,
        "base_url": address_of("").rstrip("/"),
        "openai_example": openai_example(own),
        "sections": sections(own),
    }
    return render(request, "apidocs/page.html", context)


def openai_example(own: Own) -> str:
    """What the vendor's own client needs to read the reader's usage of this month."""
    start = own.filled(described.MONTH_BEGAN)
    return (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(admin_api_key=os.environ["ADMIN_KEY"], api_key="unused", base_url="{address_of("/v1")}")\n'
        f'page = client.admin.organization.usage.completions(start_time={start}, group_by=["model"], limit=31)\n'
        "for bucket in page.data:\n    for result in bucket.results:\n"
        "        print(bucket.start_time, result.model, result.input_tokens, result.output_tokens)"
    )
