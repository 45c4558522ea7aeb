"""The short road to the addresses that are called thousands of times a second, past what Django does for a page.

Django's own cycle took two thirds of the interpreter's time for a single event (docs/decisions/0008). What is lost without
it is made up for here: answers carry the headers of django.middleware.security, those of 500 and more are logged, and
connections to the database that are too old or broken are closed.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from metering.intake import api
from metering.intake.sources import ways

EVENTS_PATH: Final = "/v1/usage/events"
WAYS: Final = {
    EVENTS_PATH: ways.EVENTS,
    "/v1/usage/responses": ways.RESPONSES,
    "/v1/integrations/litellm": ways.LITELLM,
    "/v1/traces": ways.OTLP,
    "/api/v1/events": ways.OPENMETER,
}
logger = logging.getLogger("django.request")


class EventsFirst:
    """A WSGI application that answers usage events, and leaves all else to another one."""

    def __init__(self, others: Any) -> None:
        self._others = others
        self._headers = list(_security_headers())
        self._https_alone: bool = settings.SECURE_SSL_REDIRECT
        self._https_mark: tuple[str, str] = settings.SECURE_PROXY_SSL_HEADER or ("", "")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        way = WAYS.get(environ.get("PATH_INFO", ""))
        if way is None or (self._https_alone and self._may_be_in_clear(environ)):
            answered: Iterable[bytes] = self._others(environ, start_response)
            return answered
        close_old_connections()
        error = None
        try:
            answer = api.answer(environ, environ["wsgi.input"].read, way)
        except Exception as raised:  # noqa: BLE001 - logged below, with its traceback
            answer, error = way.refused(environ, api.INTERNAL_ERROR), raised
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            status_code = {"status_code": answer.status}
            logger.error("%s: %s", _status_line(answer.status), environ["PATH_INFO"], exc_info=error, extra=status_code)
        described = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if answer.status == HTTPStatus.NO_CONTENT:
            described = []  # RFC 9110, 8.6
        start_response(_status_line(answer.status), [*self._headers, *answer.headers, *described])
        return [answer.body]

    def _may_be_in_clear(self, environ: dict[str, Any]) -> bool:
        """Whether Django might refuse the caller for coming over plain HTTP."""
        name, value = self._https_mark
        return bool(environ.get(name) != value)


def _security_headers() -> Iterable[tuple[str, str]]:
    request = HttpRequest()
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    response = HttpResponse()
    del response["Content-Type"]
    return SecurityMiddleware(lambda _: response).process_response(request, response).items()


@lru_cache
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
