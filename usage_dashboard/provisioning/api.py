"""What all views of the provisioning API share: the token and its scopes, and the shape of errors."""

from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError

from accounts.installation.described import PROVISIONING, Errors
from accounts.installation.typed_fields import IN_A_FILE
from apikeys.adminkeys.api import ProgramView
from apikeys.models import OperatorToken
from apikeys.operatortokens.authentication import (
    MissingTokenScopeError,
    OperatorCaller,
    OperatorTokenAuthentication,
)
from usage_dashboard.provisioning.fields import EXTERNAL_ID, ID_RULE
from usage_dashboard.provisioning.lines import Line, RefusedError
from usage_dashboard.provisioning.shapes import OperatorError

ERRORS: Final[Errors] = {
    401: {"invalid_operator_token": "no operator token, or one that is unknown, revoked or expired"},
    403: {"missing_scope": "the token does not have the scope that `scope` names"},
    429: {
        "rate_limit_exceeded": "the token has made all requests of this minute; ask again after `Retry-After` seconds",
        "too_many_unknown_secrets": "many unknown secrets came from your address",
    },
    503: {"unavailable": "the database does not answer; ask again after `Retry-After` seconds"},
}
CODES: Final[dict[int, str]] = {401: "invalid_operator_token", 404: "not_found"}


class RefusedLineError(APIException):
    """What was asked for cannot be: 400 for what can never be, 409 for what is in the way of something else."""

    def __init__(self, refused: RefusedError) -> None:
        super().__init__(str(refused), refused.code)
        self.status_code = 400 if refused.code in ("invalid_request", "unknown_reference") else 409
        self.default_code = refused.code
        self.param = refused.param


class OperatorView(ProgramView):
    """A view of the provisioning API."""

    authentication_classes = [OperatorTokenAuthentication]
    audience = PROVISIONING
    error_answer = OperatorError

    def errors(self) -> Errors:
        return ERRORS

    @property
    def caller(self) -> OperatorCaller:
        caller = self.request.auth
        assert isinstance(caller, OperatorCaller)
        return caller

    def require_read(self, scope: str) -> None:
        """Whoever may change a kind may read it. Raises MissingTokenScopeError."""
        if not self.caller.may(scope):
            self.caller.require(OperatorToken.Scope.READ)

    def error_body(self, exc: APIException, *, request_id: str) -> dict[str, Any]:
        code = "invalid_request" if isinstance(exc, ParseError) else CODES.get(exc.status_code, exc.default_code)
        error = {"code": code, "message": str(exc.detail), "request_id": request_id}
        if (param := getattr(exc, "param", None)) is not None:
            error["param"] = param
        if isinstance(exc, MissingTokenScopeError):
            error["scope"] = exc.scope
        return {"error": error}


def scopes_of(line: Line, scope: str) -> list[str]:
    """What a token needs for a line."""
    return [scope, OperatorToken.Scope.PRICES] if "prices" in line.fields else [scope]


def first_error(errors: Any, name: str = "") -> RefusedError:
    """The first thing that is wrong, in the order of the fields: 'prices[3].unit_price: …'."""
    while (
        isinstance(errors, dict | list)
        and errors
        and not isinstance(errors[0] if isinstance(errors, list) else None, str)
    ):
        if isinstance(errors, dict):
            key, errors = next((key, found) for key, found in errors.items() if found)
            if key != "non_field_errors":
                name = f"{name}.{key}" if name else str(key)
        else:
            place, errors = next((place, found) for place, found in enumerate(errors) if found)
            name = f"{name}[{place}]"
    message = str(errors[0] if isinstance(errors, list) and errors else errors)
    return RefusedError("invalid_request", f"{name}: {message}" if name else message, param=name or None)


def line_of(
    kind: str,
    external_id: str,
    data: Any,
    fields: type[serializers.Serializer[Any]],
    *,
    is_file: bool = False,
    **said: Any,
) -> Line:
    """The line that this data is, of a program or of a file that people write. Raises RefusedError for the first field that is
    wrong."""
    if not EXTERNAL_ID.fullmatch(external_id):
        raise RefusedError("invalid_request", ID_RULE, param="external_id")
    if not isinstance(data, dict):
        raise RefusedError("invalid_request", "This is no JSON object.")
    checked = fields(data=data, context={IN_A_FILE: is_file})
    if not checked.is_valid():
        raise first_error(checked.errors)
    values = dict(checked.validated_data)
    return Line(kind, external_id, values, effective_at=values.pop("effective_at", None), **said)
