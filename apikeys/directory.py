"""Who is calling and where that counts, from memory: keys, tokens and the dated histories, under one routing version.

The memory is right because whoever uses it reads the version first, and with it who was changed since the version that is
remembered: these people are forgotten, nobody else. A change (revocation, tracking, default organization, membership)
raises the version before it is made, and nothing is learnt of a person who is being changed (`accounts.changes`), so it
holds for the very next event.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Q

from accounts import changes
from accounts.changes import BeingChangedError
from accounts.models import Organization
from apikeys import declarations
from apikeys.declarations import Declarations
from apikeys.histories import histories
from apikeys.models import APIKey, IngestToken
from apikeys.routing import KeyHistory

MAX_REMEMBERED = 500_000  # entries of a kind; beyond that a directory starts anew
MAX_LEARNT_ALONG = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated sender of events: a gateway with an ingest token (`key` is None), or a key that reports its own usage."""

    key: KeyHistory | None
    revoked_at: datetime | None
    expires_at: datetime | None
    token_id: int = 0

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

    Threads read and write it at once: entries are added whole, and copies of them made in one step of the interpreter. The
    next version is another object, so that nothing which a thread has read under an older version gets into it.
    What learns something raises BeingChangedError for a person who is being changed at this moment.
    """

    version: int
    expected_keys: list[str] = field(default_factory=list)
    """Public ids that were known under the version before: whoever is missed brings some of them along."""
    keys: dict[str, KeyHistory] = field(default_factory=dict)
    organization_ids: dict[str, int] = field(default_factory=dict)
    key_ids: dict[bytes, str] = field(default_factory=dict)
    """SHA-256 digest of a secret → public id of its key."""
    callers: dict[bytes, Caller] = field(default_factory=dict)
    identities: dict[bytes | str, Identity] = field(default_factory=dict)
    row_parts: dict[str | None, Any] = field(default_factory=dict)
    """What ingest derives from a key, by public id."""
    declared: dict[int, Declarations] = field(default_factory=dict)
    """By organization."""
    entries_of: dict[int, set[tuple[str, bytes | str | int]]] = field(default_factory=dict)
    """By a person's id, or an organization's with a minus: in which of the mappings above something of theirs may be, and
    under what name."""

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
        """Remember these public ids, where they exist, with at most nine queries."""
        if new_keys := {public_id for public_id in _storable(key_ids) if public_id not in self.keys}:
            self._learn_keys(new_keys)
        if new_organizations := {
            public_id for public_id in _storable(organization_ids) if public_id not in self.organization_ids
        }:
            found = Organization.objects.filter(public_id__in=new_organizations)
            self.organization_ids.update(found.values_list("public_id", "id"))

    def names_of(self, digests: Collection[bytes]) -> Mapping[bytes, str]:
        """Public ids of the keys that have, or had before a rotation, secrets with these digests; with at most one query.

        A secret belongs to one key for ever, so this holds under every version, whatever is changed.
        """
        if new := [digest for digest in digests if digest not in self.key_ids]:
            found = APIKey.objects.filter(Q(digest__in=new) | Q(previous_digest__in=new))
            for public_id, *secrets in found.values_list("public_id", "digest", "previous_digest"):
                self.key_ids.update((bytes(digest), public_id) for digest in secrets if digest is not None)
        return self.key_ids

    def declarations(self, organization_id: int) -> Declarations:
        """What an organization's usage can be for."""
        found = self.declared.get(organization_id)
        if found is None:
            self._learn_declarations({organization_id})
            found = self.declared[organization_id]
        return found

    def remember_parts(self, public_id: str, organization_id: int, parts: Any) -> None:
        """What ingest derives from a key, and from what this organization has declared."""
        self._note(-organization_id, "row_parts", public_id)
        self.row_parts[public_id] = parts

    def without(self, changed: Collection[int], *, version: int) -> "Directory":
        """What is left under the next version, after changes to these people and organizations (with a minus)."""
        left = Directory(
            version=version,
            expected_keys=self.expected_keys,
            keys=dict(self.keys),
            organization_ids=self.organization_ids,  # these never change
            key_ids=self.key_ids,  # nor these
            callers=dict(self.callers),
            identities=dict(self.identities),
            row_parts=dict(self.row_parts),
            declared=dict(self.declared),
            entries_of=dict(self.entries_of),  # after the others: what is in them is in here, too
        )
        for changed_id in changed:
            for mapping, name in tuple(left.entries_of.pop(changed_id, ())):
                getattr(left, mapping).pop(name, None)
        return left

    def is_full(self) -> bool:
        remembered = (self.keys, self.organization_ids, self.key_ids, self.callers, self.identities, self.declared)
        sizes = [len(entries) for entries in remembered]
        return max(sizes) > MAX_REMEMBERED

    def _learn_keys(self, new_keys: set[str]) -> None:
        wanted = new_keys | {key for key in self.expected_keys[:MAX_LEARNT_ALONG] if key not in self.keys}
        changing = changes.being_changed()
        api_keys = list(APIKey.objects.filter(public_id__in=wanted))
        waited_for = [api_key.user_id for api_key in api_keys if api_key.public_id in new_keys]
        if locks := changes.unsettled(waited_for, changing):
            raise BeingChangedError(locks)
        del self.expected_keys[:MAX_LEARNT_ALONG]
        settled = [api_key for api_key in api_keys if not changes.unsettled([api_key.user_id], changing)]
        found = histories.of_keys(settled)
        self._learn_declarations({history.constant[0] for history in found if history.constant is not None})
        for history in found:
            self._note(history.user_id, "row_parts", history.public_id)
            self._note(history.user_id, "keys", history.public_id)
            self.keys[history.public_id] = history

    def _learn_declarations(self, organization_ids: set[int]) -> None:
        if new := organization_ids - self.declared.keys():
            for organization_id, found in declarations.of_organizations(new).items():
                self._note(-organization_id, "declared", organization_id)
                self.declared[organization_id] = found

    def _note(self, whose: int, mapping: str, name: bytes | str | int) -> None:
        """To be called before the entry is there, so that nobody sees an entry of which it is not known whose it is."""
        self.entries_of.setdefault(whose, set()).add((mapping, name))

    def _find_caller(self, digest: bytes) -> Caller | None:
        token = IngestToken.objects.filter(digest=digest).first()
        if token is not None:
            changes.require_settled([])
            token.refresh_from_db()
            return Caller(key=None, revoked_at=token.revoked_at, expires_at=None, token_id=token.id)
        api_key = self._find_key(Q(digest=digest) | Q(previous_digest=digest))
        if api_key is None:
            return None
        self._note(api_key.user_id, "callers", digest)
        expires_at = api_key.secret_expires_at(digest)
        return Caller(key=self.keys[api_key.public_id], revoked_at=api_key.revoked_at, expires_at=expires_at)

    def _find_key(self, wanted: Q) -> APIKey | None:
        """The key and its user, read while nobody is changing them; its history is remembered then."""
        found = APIKey.objects.filter(wanted).first()
        if found is None:
            return None
        changes.require_settled([found.user_id])
        self.learn([found.public_id], [])
        return APIKey.objects.select_related("user").filter(wanted).first()

    def _find_identity(self, digest_or_id: bytes | str) -> Identity | None:
        if isinstance(digest_or_id, bytes):
            wanted = Q(digest=digest_or_id) | Q(previous_digest=digest_or_id)
        else:
            wanted = Q(public_id__in=_storable([digest_or_id]))
        api_key = self._find_key(wanted)
        if api_key is None:
            return None
        self._note(api_key.user_id, "identities", digest_or_id)
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


def at_version(version: int, *, since: int = 0, changed: Collection[int] | None = None) -> Directory:
    """This process's directory of `version`, or of a later one that another thread has read meanwhile.

    `changed` are the ids of those who were changed after the version `since`; None if that is not known. Without knowing it,
    or after a change to everybody, the directory is an empty one that expects the same keys again.
    """
    global _remembered  # noqa: PLW0603 - one memory per process is the point
    with _lock:
        if _remembered.is_full():
            _remembered = Directory(version=max(version, _remembered.version))
        elif version > _remembered.version:
            if changed is None or changes.EVERYBODY in changed or since > _remembered.version:
                expected = dict.fromkeys(list(_remembered.keys) + _remembered.expected_keys)
                _remembered = Directory(version=version, expected_keys=list(expected)[:MAX_REMEMBERED])
            else:
                _remembered = _remembered.without(changed, version=version)
        return _remembered


def patiently(ask: Callable[[], T]) -> T:
    """The answer to a question to a directory, once nobody is changed any more whom it is about. Not inside a transaction."""
    while True:
        try:
            return ask()
        except BeingChangedError as error:
            changes.wait_for(error.locks)


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    global _remembered  # noqa: PLW0603 - one memory per process is the point
    with _lock:
        _remembered = Directory(version=0)


def _storable(public_ids: Iterable[str]) -> set[str]:
    """Those that PostgreSQL can be asked for: it has no text with a NUL character."""
    return {public_id for public_id in public_ids if "\x00" not in public_id}
