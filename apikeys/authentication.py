"""From an `Authorization: Bearer …` header to the digest of its secret, and to the gateway that holds it.

The secret itself goes no further than here.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from apikeys import secrets
from apikeys.directory import Directory, patiently
from apikeys.strangers import TooManyUnknownSecretsError, strangers
from apikeys.verification import current_directory

SCHEME = "bearer "
LONGEST_HEADER = 512
UNAUTHENTICATED = "Send `Authorization: Bearer …` with a valid ingest token."


def bearer_digest(header: str) -> bytes | None:
    """The SHA-256 digest of the header's secret; None for a missing, over-long or otherwise unusable header."""
    if len(header) > LONGEST_HEADER or not header.lower().startswith(SCHEME):
        return None
    secret = header[len(SCHEME) :].strip()
    return secrets.digest(secret) if secret else None


@dataclass(frozen=True, slots=True)
class Gateway:
    """An authenticated ingest token's view of keys, as of `now`."""

    known: Directory
    now: datetime


class WaitError(APIException):
    """The caller's address has sent too many secrets of nobody (`apikeys.strangers`)."""

    status_code = 429
    default_code = "too_many_unknown_secrets"
    default_detail = "Too many unknown secrets came from your address; ask again in a moment."
    wait = 1  # seconds, for Retry-After


class IngestTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer it-…`; anything else, an API key too, is refused with the same answer."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Gateway]:
        digest = bearer_digest(request.headers.get("Authorization", ""))
        try:
            if digest is None or not strangers.is_somebodys(digest, request.META):
                raise AuthenticationFailed(UNAUTHENTICATED)
        except TooManyUnknownSecretsError:
            raise WaitError from None
        known, now = current_directory()
        caller = patiently(lambda: known.caller(digest))
        if caller is None or caller.key is not None or not caller.may_call(now):
            raise AuthenticationFailed(UNAUTHENTICATED)
        return AnonymousUser(), Gateway(known, now)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        return "Bearer"
