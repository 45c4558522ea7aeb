"""The short way to the one address that is called thousands of times a second."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from metering.api import usage_events

EVENTS_PATH: Final = "/v1/usage/events"


def events_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer usage events before what only pages need (sessions, CSRF, messages, policies) and before addresses are searched."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info != EVENTS_PATH:
            return get_response(request)
        response = usage_events(request)
        response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware
