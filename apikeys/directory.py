"""Who is calling and where that counts, from memory: keys, tokens and the dated histories, under one routing version.

The memory is right because it is used only inside `accounts.changes`' lock: ingest reads the version under the shared
lock and throws away what was remembered under another one. A change (revocation, tracking, default organization,
membership) raises the version alone with the lock, so it holds for the very next event.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from accounts.models import DefaultOrganizationChange, Membership, Organization
from apikeys.models import APIKey, IngestToken, TrackingChange
from apikeys.routing import KeyHistory

MAX_REMEMBERED = 200_000  # entries of a kind; beyond that a directory starts anew
MAX_LEARNT_ALONG = 1_000


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated sender of events: a gateway with an ingest token (`key` is None), or a key that reports its own usage."""

    key: KeyHistory | None
    revoked_at: datetime | None
    expires_at: datetime | None

    def may_call(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Identity:
    """All that a gateway may be told about a key. `organizations` are those that its user is or was in, by id."""

    key: KeyHistory
    user_id: str
    revoked_at: datetime | None
    expires_at: datetime | None
    organizations: Mapping[int, Organization]


@dataclass(slots=True)
class Directory:
    """What is remembered under one routing version. Only what exists is remembered, so a new key is found at once.

    Threads read and write it at once: entries are added whole, and lists of them made in one step of the interpreter.
    """

    version: int
    expected_keys: list[str] = field(default_factory=list)
    """Public ids that were known under the version before: whoever is missed brings some of them along."""
    keys: dict[str, KeyHistory] = field(default_factory=dict)
    organization_ids: dict[str, int] = field(default_factory=dict)
    callers: dict[bytes, Caller] = field(default_factory=dict)
    identities: dict[bytes | str, Identity] = field(default_factory=dict)
    row_parts: dict[str | None, tuple[bytes, bytes]] = field(default_factory=dict)
    """What ingest derives from a key, by public id; forgotten with the version that it is true under."""

    def caller(self, digest: bytes) -> Caller | None:
        """Who has the secret with this SHA-256 digest; None if nobody."""
        if digest not in self.callers:
            caller = self._find_caller(digest)
            if caller is None:
                return None
            self.callers[digest] = caller
        return self.callers[digest]

    def identity(self, digest_or_id: bytes | str) -> Identity | None:
        """Whose key has this SHA-256 digest or this public id; None if nobody's."""
        if digest_or_id not in self.identities:
            identity = self._find_identity(digest_or_id)
            if identity is None:
                return None
            self.identities[digest_or_id] = identity
        return self.identities[digest_or_id]

    def learn(self, key_ids: Iterable[str], organization_ids: Iterable[str]) -> None:
        """Remember these public ids, where they exist, with at most five queries."""
        if new_keys := {public_id for public_id in _storable(key_ids) if public_id not in self.keys}:
            new_keys.update(key for key in self.expected_keys[:MAX_LEARNT_ALONG] if key not in self.keys)
            del self.expected_keys[:MAX_LEARNT_ALONG]
            for history in _histories(list(APIKey.objects.filter(public_id__in=new_keys))):
                self.keys[history.public_id] = history
        if new_organizations := {
            public_id for public_id in _storable(organization_ids) if public_id not in self.organization_ids
        }:
            found = Organization.objects.filter(public_id__in=new_organizations)
            self.organization_ids.update(found.values_list("public_id", "id"))

    def is_full(self) -> bool:
        sizes = (len(self.keys), len(self.organization_ids), len(self.callers), len(self.identities))
        return max(sizes) > MAX_REMEMBERED

    def _find_caller(self, digest: bytes) -> Caller | None:
        token = IngestToken.objects.filter(digest=digest).first()
        if token is not None:
            return Caller(key=None, revoked_at=token.revoked_at, expires_at=None)
        api_key = APIKey.objects.filter(Q(digest=digest) | Q(previous_digest=digest)).first()
        if api_key is None:
            return None
        self.learn([api_key.public_id], [])
        expires_at = api_key.secret_expires_at(digest)
        return Caller(key=self.keys[api_key.public_id], revoked_at=api_key.revoked_at, expires_at=expires_at)

    def _find_identity(self, digest_or_id: bytes | str) -> Identity | None:
        if isinstance(digest_or_id, bytes):
            wanted = Q(digest=digest_or_id) | Q(previous_digest=digest_or_id)
        else:
            wanted = Q(public_id__in=_storable([digest_or_id]))
        api_key = APIKey.objects.select_related("user").filter(wanted).first()
        if api_key is None:
            return None
        self.learn([api_key.public_id], [])
        history = self.keys[api_key.public_id]
        organizations = Organization.objects.in_bulk({organization_id for organization_id, *_ in history.memberships})
        return Identity(
            key=history,
            user_id=api_key.user.public_id,
            revoked_at=api_key.revoked_at,
            expires_at=api_key.secret_expires_at(digest_or_id)
            if isinstance(digest_or_id, bytes)
            else api_key.expires_at,
            organizations=organizations,
        )


_lock = threading.Lock()
_remembered = Directory(version=0)


def remembered() -> Directory:
    """This process's directory, of whatever version: good enough to refuse a stranger early."""
    return _remembered


def at_version(version: int) -> Directory:
    """This process's directory of `version`; an empty one, which expects the same keys again, if it remembers another."""
    global _remembered  # noqa: PLW0603 - one memory per process is the point
    with _lock:
        if _remembered.is_full():
            _remembered = Directory(version=version)
        elif _remembered.version != version:
            expected = dict.fromkeys(list(_remembered.keys) + _remembered.expected_keys)
            _remembered = Directory(version=version, expected_keys=list(expected)[:MAX_REMEMBERED])
        return _remembered


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    global _remembered  # noqa: PLW0603 - one memory per process is the point
    with _lock:
        _remembered = Directory(version=0)


def _storable(public_ids: Iterable[str]) -> set[str]:
    """Those that PostgreSQL can be asked for: it has no text with a NUL character."""
    return {public_id for public_id in public_ids if "\x00" not in public_id}


def _histories(api_keys: list[APIKey]) -> list[KeyHistory]:
    user_ids = {api_key.user_id for api_key in api_keys}
    defaults: dict[int, list[tuple[datetime, int]]] = {}
    for change in DefaultOrganizationChange.objects.filter(user_id__in=user_ids).order_by("effective_at"):
        defaults.setdefault(change.user_id, []).append((change.effective_at, change.organization_id))
    memberships: dict[int, list[tuple[int, datetime, datetime | None]]] = {}
    for membership in Membership.objects.filter(user_id__in=user_ids):
        memberships.setdefault(membership.user_id, []).append(
            (membership.organization_id, membership.joined_at, membership.left_at)
        )
    tracking: dict[int, list[tuple[datetime, bool]]] = {}
    for switch in TrackingChange.objects.filter(api_key__in=api_keys).order_by("effective_at"):
        tracking.setdefault(switch.api_key_id, []).append((switch.effective_at, switch.tracked))
    return [
        KeyHistory(
            id=api_key.id,
            public_id=api_key.public_id,
            user_id=api_key.user_id,
            defaults=tuple(defaults.get(api_key.user_id, ())),
            tracking=tuple(tracking.get(api_key.id, ())) or ((api_key.created_at, api_key.tracked),),
            memberships=tuple(memberships.get(api_key.user_id, ())),
            ended_at=min((moment for moment in (api_key.revoked_at, api_key.expires_at) if moment), default=None),
        )
        for api_key in api_keys
    ]
