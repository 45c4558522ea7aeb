"""Which address of the site map a request was for: a name out of few, whatever path a stranger asks for."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from metering.intake.fast_path import WAYS
from usage_dashboard.monitoring.timings import REQUEST, is_measured, timings

ROUTE: Final = "usage_dashboard.route"
ADMIN: Final = "/admin/"
"""One for all of it: there are as many addresses as everywhere else together, and few people."""
STATIC: Final = "static files"
NO_ROUTE: Final = "no such address"
NO_BODY: Final = "body not taken"
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def note_route(get_response: GetResponse) -> GetResponse:
    """Middleware: leaves the address's pattern in the request's environment, for `note_request`."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        match = getattr(request, "resolver_match", None)
        if match is not None:
            request.META[ROUTE] = ADMIN if match.route.startswith(ADMIN[1:]) else f"/{match.route}"
        elif request.path.startswith(settings.STATIC_URL):
            request.META[ROUTE] = STATIC
        return response

    return middleware


def note_request(environ: Mapping[str, Any], status: int, seconds: float) -> None:
    """A request was answered so many seconds after its body was here."""
    if not is_measured():
        return
    path = environ["PATH_INFO"]
    route = path if path in WAYS else environ.get(ROUTE, NO_ROUTE)
    timings.note(REQUEST, route, _class_of(status), seconds)


def note_refused_body(status: int, seconds: float) -> None:
    """The body of a request was not taken: too large, too slow, or one too many."""
    if is_measured():
        timings.note(REQUEST, NO_BODY, _class_of(status), seconds)


def _class_of(status: int) -> str:
    return f"{status // 100}xx"
