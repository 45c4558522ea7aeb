"""From the secret of a request to the operator token behind it, and what it may do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.audit.audit import OPERATOR, Actor, client_address
from apikeys.adminkeys.authentication import Allowed, digest_of, opened_by
from apikeys.models import OperatorToken

UNAUTHENTICATED: Final = "Send `Authorization: Bearer …` with a valid operator token (`op-…`)."


class MissingTokenScopeError(PermissionDenied):
    """The token is valid and may not do this."""

    default_code = "missing_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This token does not have the scope `{scope}`, which this needs. Staff can create one that has, in the settings."
        )
        self.scope = scope


@dataclass(frozen=True)
class OperatorCaller:
    """An operator token that is valid `now`, with its allowance, and who it is in the audit log."""

    token: OperatorToken
    now: datetime
    allowed: Allowed
    actor: Actor

    def may(self, scope: str) -> bool:
        return scope in self.token.scopes

    def require(self, scope: str) -> None:
        """Raises MissingTokenScopeError."""
        if not self.may(scope):
            raise MissingTokenScopeError(scope)


class OperatorTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer op-…`; every other secret is refused with the same answer. A request counts against the limit.

    Raises AuthenticationFailed, WaitError or TooManyRequestsError.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, OperatorCaller]:
        rows, most = OperatorToken.objects.all(), settings.OPERATOR_TOKEN_REQUESTS_PER_MINUTE
        token, now, allowed = opened_by(digest_of(request), request.META, rows=rows, most=most, refusal=UNAUTHENTICATED)
        address = client_address(request._request)  # noqa: SLF001 - the framework's own name for it
        actor = Actor(name=f"{OPERATOR}“{token.name}” ({token.redacted})", address=address)
        return AnonymousUser(), OperatorCaller(token, now, allowed, actor)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        return "Bearer"
