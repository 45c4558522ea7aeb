"""From the secret of a request to the admin key behind it, what it may read, and how much it has left in this minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import DateTimeField, Func, Model, Q, QuerySet
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, PermissionDenied, Throttled
from rest_framework.request import Request

from accounts.models import Organization
from apikeys import secrets
from apikeys.authentication import LONGEST_HEADER, WaitError, bearer_digest
from apikeys.models import AdminKey
from apikeys.strangers import TooManyUnknownSecretsError, strangers

Row = TypeVar("Row", bound=Model)
UNAUTHENTICATED: Final = "Send `Authorization: Bearer …` with a valid admin key (`sk-admin-…`)."

# Nothing is written beyond the limit. The windows are the minutes of the database's clock.
SPEND_SQL: Final = """
WITH spent AS (
    UPDATE {table} AS key SET
        last_used_at = clock_timestamp(),
        num_in_minute = CASE WHEN key.minute_began_at = this.minute THEN key.num_in_minute + 1 ELSE 1 END,
        minute_began_at = this.minute
    FROM (SELECT date_trunc('minute', clock_timestamp(), 'UTC') AS minute) AS this
    WHERE key.id = %(id)s AND (key.minute_began_at IS DISTINCT FROM this.minute OR key.num_in_minute < %(most)s)
    RETURNING key.num_in_minute
)
SELECT
    (SELECT num_in_minute FROM spent),
    ceil(extract(epoch FROM
        date_trunc('minute', clock_timestamp(), 'UTC') + interval '1 minute' - clock_timestamp()
    ))::int,
    clock_timestamp()
"""


class MissingScopeError(PermissionDenied):
    """The key is valid and may not read this."""

    default_code = "missing_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This key does not have the scope `{scope}`, which this address needs. "
            "An owner can create one that has, in organization settings."
        )
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Allowed:
    """How many requests a key may make in a minute, how many are left, and in how many seconds the next minute begins."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(frozen=True)
class AdminCaller:
    """An admin key that is valid `now`: what it opens, and its allowance."""

    key: AdminKey
    now: datetime
    allowed: Allowed

    @property
    def organization(self) -> Organization:
        return self.key.organization

    @cached_property
    def organizations(self) -> tuple[Organization, ...]:
        """The organizations that the key reads: its own first and, of a parent, its children."""
        return (self.organization, *self.organization.children.order_by("name", "id"))

    @property
    def only_of(self) -> None:
        """A key reads everybody's usage."""

    def require(self, scope: str) -> None:
        """Raises MissingScopeError."""
        if scope not in self.key.scopes:
            raise MissingScopeError(scope)


class TooManyRequestsError(Throttled):
    """The key or token has made all requests of this minute."""

    default_code = "rate_limit_exceeded"

    def __init__(self, allowed: Allowed, whose: str) -> None:
        super().__init__()
        self.allowed = allowed
        self.wait = allowed.reset_seconds
        self.detail = ErrorDetail(  # set here, because the framework adds words of its own to what is handed to it
            f"Rate limit reached: {allowed.limit} requests in a minute with one {whose}. "
            f"Try again in {allowed.reset_seconds} s."
        )


class AdminKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-admin-…` or `x-api-key: sk-admin-…`; every other secret is refused with the same answer.

    A request counts against its key's limit. Raises AuthenticationFailed, WaitError or TooManyRequestsError.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, AdminCaller]:
        return AnonymousUser(), caller_of(digest_of(request), request.META)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        return "Bearer"


def caller_of(digest: bytes | None, environ: Mapping[str, Any]) -> AdminCaller:
    """Whose secret has this digest; this request is counted. `environ` says where it comes from.

    Raises AuthenticationFailed, WaitError or TooManyRequestsError.
    """
    keys, most = AdminKey.objects.select_related("organization"), settings.ADMIN_KEY_REQUESTS_PER_MINUTE
    key, now, allowed = opened_by(digest, environ, rows=keys, most=most, refusal=UNAUTHENTICATED)
    return AdminCaller(key, now, allowed)


def opened_by(
    digest: bytes | None, environ: Mapping[str, Any], *, rows: "QuerySet[Row]", most: int, refusal: str
) -> tuple[Row, datetime, Allowed]:
    """Which of these keys or tokens has the secret with this digest, if it is valid now; this request is counted, of `most` in a
    minute. `refusal` is what every other secret is told.

    Raises AuthenticationFailed, WaitError or TooManyRequestsError.
    """
    if digest is None:
        raise AuthenticationFailed(refusal)
    try:
        if not strangers.is_somebodys(digest, environ):
            raise AuthenticationFailed(refusal)
    except TooManyUnknownSecretsError:
        raise WaitError from None
    found = _valid(rows).filter(digest=digest).first()
    if found is None:
        raise AuthenticationFailed(refusal)
    return found, *_spend(found, most)


def digest_of(request: Request) -> bytes | None:
    """The SHA-256 digest of the secret in either header."""
    secret = request.headers.get("X-Api-Key", "").strip()
    if secret and len(secret) <= LONGEST_HEADER:
        return secrets.digest(secret)
    return bearer_digest(request.headers.get("Authorization", ""))


def _valid(rows: "QuerySet[Row]") -> "QuerySet[Row]":
    """Those that are neither revoked nor expired, by the database's clock."""
    now = Func(function="clock_timestamp", output_field=DateTimeField())
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return rows.filter(unexpired, revoked_at__isnull=True)


def _spend(row: Model, most: int) -> tuple[datetime, Allowed]:
    """The moment of the request, and what is left of its minute. Raises TooManyRequestsError."""
    described = row._meta  # noqa: SLF001 - Django's public name for it
    with connection.cursor() as cursor:
        cursor.execute(SPEND_SQL.format(table=described.db_table), {"id": row.pk, "most": most})
        number, seconds, now = cursor.fetchone()
    if number is None:
        raise TooManyRequestsError(Allowed(most, 0, max(seconds, 1)), str(described.verbose_name))
    return now, Allowed(most, most - number, max(seconds, 1))
