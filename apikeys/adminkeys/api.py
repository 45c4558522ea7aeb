"""What all views of the admin APIs share: the key, its scope and limit, the headers and the shape of errors."""

from typing import Any, ClassVar, Final, TypedDict

from django.core.exceptions import TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework.exceptions import APIException, NotFound
from rest_framework.exceptions import PermissionDenied as Forbidden
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.installation.described import Described, Errors
from accounts.public_ids import random_text
from apikeys.adminkeys.authentication import AdminCaller, AdminKeyAuthentication, Allowed, TooManyRequestsError

REQUEST_ID: Final = "x-request-id"
SECONDS_TO_COME_BACK: Final = 1


class InvalidRequestError(APIException):
    """The request cannot be answered as it is; `param` names what is wrong."""

    status_code = 400
    default_code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_request") -> None:
        super().__init__(message, code)
        self.param = param
        self.default_code = code


class UnavailableError(APIException):
    """The database does not answer."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "The data could not be read now; ask again."


class AdminProblem(TypedDict):
    """`code` is stable and for programs, `message` a sentence for people; `param` names the parameter that is wrong."""

    message: str
    type: str
    param: str | None
    code: str


class AdminError(TypedDict):
    """An error, in the shape of OpenAI's."""

    error: AdminProblem


class ProgramView(Described, APIView):
    """A view for programs with a secret of their own: an id for each request, the limit in headers, one shape of errors."""

    request_id = ""
    allowed: Allowed | None = None

    def error_body(self, exc: APIException, *, request_id: str) -> dict[str, Any]:  # noqa: ARG002 - for vendors that say it
        """The body of an error, in the shape of OpenAI's where a subclass has no other."""
        return {
            "error": {
                "message": str(exc.detail),
                "type": _type_of(exc.status_code),
                "param": getattr(exc, "param", None),
                "code": code_of(exc),
            }
        }

    def rate_headers(self, allowed: Allowed) -> dict[str, str]:
        """The headers that tell of the key's limit, with the names of OpenAI's."""
        return {
            "x-ratelimit-limit-requests": str(allowed.limit),
            "x-ratelimit-remaining-requests": str(allowed.remaining),
            "x-ratelimit-reset-requests": f"{allowed.reset_seconds}s",
        }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.request_id = f"req_{random_text()}"
        super().initial(request, *args, **kwargs)
        caller: Any = request.auth
        self.allowed = caller.allowed

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Http404):
            exc = NotFound()
        if isinstance(exc, (OperationalError, InterfaceError)):
            exc = UnavailableError()
        if isinstance(exc, TooManyFieldsSent):
            exc = InvalidRequestError("The address has too many parameters.", code="array_above_max_length")
        response = super().handle_exception(exc)
        if isinstance(exc, APIException):
            response.data = self.error_body(exc, request_id=self.request_id)
        if isinstance(exc, UnavailableError):
            response["Retry-After"] = str(SECONDS_TO_COME_BACK)
        if isinstance(exc, TooManyRequestsError):
            self.allowed = exc.allowed
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        self._add(response, {REQUEST_ID: self.request_id, "Cache-Control": "no-store"})
        if self.allowed is not None:
            self._add(response, self.rate_headers(self.allowed))
        return response

    @staticmethod
    def _add(response: Any, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            response[name] = value


class AdminView(ProgramView):
    """A view of an admin API: `scope` is what a key needs for it. A subclass has the vendor's shape of errors and headers."""

    authentication_classes = [AdminKeyAuthentication]
    error_answer: ClassVar[Any] = AdminError
    scope: ClassVar[str]

    @property
    def caller(self) -> AdminCaller:
        caller = self.request.auth
        assert isinstance(caller, AdminCaller)
        return caller

    def errors(self) -> Errors:
        return {
            401: {"invalid_api_key": "no admin key, or one that is unknown, revoked or expired"},
            403: {"missing_scope": f"the key does not have the scope `{self.scope}`"},
            429: {
                "rate_limit_exceeded": "the key has made all requests of this minute; ask again after `Retry-After` seconds",
                "too_many_unknown_secrets": "many unknown secrets came from your address",
            },
            503: {"unavailable": "the database does not answer; ask again after `Retry-After` seconds"},
        }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.caller.require(self.scope)


def code_of(exc: APIException) -> str:
    """The stable code of an error."""
    return {401: "invalid_api_key", 404: "not_found"}.get(exc.status_code, exc.default_code)


def _type_of(status: int) -> str:
    if status == Forbidden.status_code:
        return "insufficient_permissions"
    return {429: "requests", 503: "server_error"}.get(status, "invalid_request_error")
