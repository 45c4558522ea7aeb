"""What holds for the answers of all pages, ours and those of packages: nobody keeps a copy, and no NUL gets in."""

from collections.abc import Callable
from typing import Final

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]
KEPT_BY_ANYBODY: Final = "public, max-age=31536000, immutable"
PACKAGES_PAGES: Final = ("/admin/", "/accounts/")
"""Their forms and filters hand a NUL on to PostgreSQL, whose text has none; ours say that they left the value out."""


def keep_no_copies(get_response: GetResponse) -> GetResponse:
    """Pages tell of people and money: no proxy keeps them, and no browser of a shared computer. Static files are answered
    before they get here, and what is said to be public and never to change is nobody's secret (`web.branding`); a page that
    updates itself asks with the ETag that it carries."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        said = response.get("Cache-Control", "")
        if "no-store" not in said and said != KEPT_BY_ANYBODY:
            response["Cache-Control"] = "no-store"
        return response

    return answer


def refuse_nul(get_response: GetResponse) -> GetResponse:
    """An address with a NUL is none; a query string with one is refused where nobody looks at each value."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info:
            raise Http404("No address has a NUL.")
        query = request.META.get("QUERY_STRING", "")
        if ("%00" in query or "\0" in query) and request.path_info.startswith(PACKAGES_PAGES):
            raise BadRequest("No text has a NUL.")
        return get_response(request)

    return answer
