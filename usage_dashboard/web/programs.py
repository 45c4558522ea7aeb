"""Addresses that programs call: JSON for every error, no redirects, and whatever Host they name."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from rest_framework.response import Response
from rest_framework.views import exception_handler

API_PREFIXES: Final = ("/v1/", "/api/v1/", "/scim/v2/")
FOR_PROGRAMS: Final = (
    "application/json",
    "application/problem+json",
    "application/scim+json",
    "application/x-protobuf",
)
MONITORED: Final = ("/healthz", "/readyz", "/metrics")
KEPT_HEADERS: Final = ("Allow", "Retry-After", "WWW-Authenticate")
CODES: Final = {
    HTTPStatus.BAD_REQUEST: ("bad_request", "The request cannot be read."),
    HTTPStatus.FORBIDDEN: ("forbidden", "This is not allowed."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is no such address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address does not accept that method."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("body_too_large", "The body is too large for this address."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("internal_error", "A server error: whether the request took effect is unknown."),
}
IN_CLEAR: Final = (
    "This request came over plain HTTP, with its secret readable on the way: use HTTPS, and replace the secret. "
    "Behind a proxy that ends TLS, the proxy has to send `X-Forwarded-Proto: https`."
)
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HostsOfPeople(CommonMiddleware):
    """Checks the Host that a browser names. Programs come by the address of a container or the name of a service."""

    def process_request(self, request: HttpRequest) -> Any:
        is_for_programs = request.path_info.startswith(API_PREFIXES) or request.path_info in MONITORED
        return None if is_for_programs else super().process_request(request)


def json_errors(get_response: GetResponse) -> GetResponse:
    """Middleware: no error of the API is a page, and no secret is sent over plain HTTP a second time."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API_PREFIXES):
            return get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return error_response(HTTPStatus.FORBIDDEN, "https_required", IN_CLEAR)
        response = get_response(request)
        is_for_programs = response.headers.get("Content-Type", "").startswith(FOR_PROGRAMS)
        return response if response.status_code < HTTPStatus.BAD_REQUEST or is_for_programs else _as_json(response)

    return middleware


def error_response(status: int, code: str, message: str) -> HttpResponse:
    error = {"error": {"code": code, "message": message}}
    return JsonResponse(error, status=status, headers={"Cache-Control": "no-store"})


def rest_error(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's answers to errors, in the one shape of ours."""
    response = exception_handler(exc, context)
    if response is not None:
        code, message = getattr(exc, "default_code", "error"), str(getattr(exc, "detail", exc))
        response.data = {"error": {"code": code, "message": message}}
    return response


def _as_json(response: HttpResponseBase) -> HttpResponse:
    known = CODES.get(HTTPStatus(response.status_code))
    code, message = known or ("error", f"{response.reason_phrase}.")
    answer = error_response(response.status_code, code, message)
    for name in KEPT_HEADERS:
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer
