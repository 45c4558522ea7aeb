"""What a gateway is told about a key: whether it opens the API at this moment, whose it is, and where its usage counts.

One query reads the routing version, and who was changed since the one under which this process remembers keys and histories:
a change made anywhere (a revocation, a switch of tracking, another default organization) holds for the very next question.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from accounts.changes import version_sql
from accounts.models import Organization
from apikeys import directory
from apikeys.directory import Directory, Identity, patiently
from apikeys.routing import ATTRIBUTED, KeyHistory, NotAMemberError, route

UNKNOWN: Final = "unknown_key"
REVOKED: Final = "revoked"
EXPIRED: Final = "expired"
NOT_A_MEMBER: Final = "not_a_member"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`valid`: the key opens the API now. `reason` says why it does not, or why its usage would count nowhere.

    `key` is the key itself, and None if there is none.
    """

    valid: bool
    key: KeyHistory | None = None
    reason: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    organization: Organization | None = None
    tracked: bool = False


def current_directory() -> tuple[Directory, datetime]:
    """What is true at this moment, and the moment, by the database's clock. One query."""
    since = directory.remembered().version
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {version_sql(since)}, clock_timestamp() FROM accounts_routingversion")
        version, changed, now = cursor.fetchone()
    return directory.at_version(version, since=since, changed=changed), now


def verify(known: Directory, digest_or_id: bytes | str, *, named: str | None, now: datetime) -> Verdict:
    """The verdict on the key with this SHA-256 digest or public id, for a request that named an organization or none."""
    identity = patiently(lambda: known.identity(digest_or_id))
    if identity is None:
        return Verdict(valid=False, reason=UNKNOWN)
    organization, tracked = _destination(identity, named, now)
    ended = _ended(identity, now)
    return Verdict(
        valid=ended is None,
        key=identity.key,
        reason=ended or (NOT_A_MEMBER if organization is None else None),
        api_key_id=identity.key.public_id,
        user_id=identity.user_id,
        organization=organization,
        tracked=tracked,
    )


def _ended(identity: Identity, now: datetime) -> str | None:
    if identity.revoked_at is not None and identity.revoked_at <= now:
        return REVOKED
    if identity.expires_at is not None and identity.expires_at <= now:
        return EXPIRED
    return None


def _destination(identity: Identity, named: str | None, now: datetime) -> tuple[Organization | None, bool]:
    """Where a request at this moment counts, and whether under the key's name."""
    named_id = None
    if named is not None:
        named_id = next((found.id for found in identity.organizations.values() if found.public_id == named), 0)
    try:
        organization_id, bits = route(identity.key, named=named_id, at=now)
    except NotAMemberError:
        return None, False
    return identity.organizations.get(organization_id), bits & ATTRIBUTED == ATTRIBUTED
