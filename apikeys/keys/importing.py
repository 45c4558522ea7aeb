"""Keys that were made elsewhere: from a CSV file into the database, all of them or none."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.models import User
from accounts.periods import midnight
from apikeys import news, secrets
from apikeys.keys.keys import TRACKED_BY_DEFAULT_FROM, InvalidNameError, clean_name
from apikeys.models import APIKey, TrackingChange

COLUMNS: Final = ("email", "name", "created", "secret", "digest")
SHA256_IN_HEX: Final = re.compile(r"[0-9a-f]{64}")
UNKNOWN_ENDING: Final = "sk-...???"
MAX_ERRORS: Final = 20


class UnreadableFileError(ValueError):
    """Lines that cannot be imported, one sentence for each; nothing was imported. No sentence holds a secret."""


@dataclass(frozen=True)
class Imported:
    """How many keys are new, and how many were there already."""

    num_new: int
    num_known: int


def import_api_keys(lines: Iterable[str], *, now: datetime, actor: Actor = SYSTEM_ACTOR) -> Imported:
    """Keys from CSV with the columns email, name, created (a date or a moment, UTC) and secret or digest (SHA-256 in hex).

    Keys created after 20 December 2023 are tracked, older ones are not. A key whose digest is known is left as it is,
    so a file can be imported again. Raises UnreadableFileError.
    """
    reader = csv.DictReader(lines)
    if missing := {"email", "name", "created"} - set(reader.fieldnames or ()):
        raise UnreadableFileError(f"The first line must name the columns; missing: {', '.join(sorted(missing))}.")
    users = {user.email: user for user in User.objects.all()}
    known = {bytes(digest) for digest in APIKey.objects.values_list("digest", flat=True)}
    errors: list[str] = []
    read: dict[bytes, APIKey] = {}
    num_known = 0
    for row in reader:
        try:
            api_key = _read(row, users, now)
        except ValueError as error:
            errors.append(f"Line {reader.line_num}: {error}")
            continue
        digest = bytes(api_key.digest)
        if digest in read:
            errors.append(f"Line {reader.line_num}: the same secret is in an earlier line.")
        elif digest in known:
            num_known += 1
        else:
            read[digest] = api_key
    if errors:
        more = [f"… and {len(errors) - MAX_ERRORS} more."] if len(errors) > MAX_ERRORS else []
        raise UnreadableFileError("\n".join(errors[:MAX_ERRORS] + more))
    store(list(read.values()), actor)
    return Imported(len(read), num_known)


def import_api_key(*, email: str, name: str, digest: str, now: datetime, actor: Actor) -> bool:
    """One key, by the SHA-256 digest of its secret in hex, as of now; False, and nothing done, if it is here already.

    Raises ValueError with a sentence.
    """
    users = {user.email: user for user in User.objects.filter(email=email.strip().lower())}
    cells: dict[str, str | None] = {"email": email, "name": name, "created": now.isoformat(), "digest": digest}
    api_key = _read(cells, users, now)
    if APIKey.objects.filter(Q(digest=api_key.digest) | Q(previous_digest=api_key.digest)).exists():
        return False
    store([api_key], actor)
    return True


def _read(row: dict[str, str | None], users: dict[str, User], now: datetime) -> APIKey:
    """The key of one line. Raises ValueError with a sentence."""
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    user = users.get(cells["email"].lower())
    if user is None:
        raise ValueError(f"nobody here has the email {cells['email']!r}.")
    try:
        name = clean_name(cells["name"])
    except InvalidNameError as error:
        raise ValueError(str(error)) from error
    created_at = _moment(cells["created"])
    if created_at > now:
        raise ValueError("the key is created in the future.")
    return APIKey(
        user=user,
        name=name,
        digest=_digest(cells["secret"], cells["digest"].lower()),
        redacted=secrets.redact(cells["secret"]) if cells["secret"] else UNKNOWN_ENDING,
        tracked=created_at >= TRACKED_BY_DEFAULT_FROM,
        created_at=created_at,
    )


def _moment(text: str) -> datetime:
    try:
        if len(text) == len("2023-12-20"):
            return midnight(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("“created” is a date (2023-12-20) or a moment (2023-12-20T08:30:00Z).") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _digest(secret: str, digest: str) -> bytes:
    if bool(secret) == bool(digest):
        raise ValueError("give either a secret or a digest.")
    if secret:
        return secrets.digest(secret)
    if not SHA256_IN_HEX.fullmatch(digest):
        raise ValueError("a digest is SHA-256 in 64 hexadecimal digits.")
    return bytes.fromhex(digest)


def store(api_keys: list[APIKey], actor: Actor, *, imported: bool = True) -> None:
    """These new rows, with the first of their histories and an entry of the audit log for each, with three statements."""
    with transaction.atomic():
        APIKey.objects.bulk_create(api_keys, batch_size=audit.BATCH_SIZE)
        TrackingChange.objects.bulk_create(
            (
                TrackingChange(api_key=api_key, tracked=api_key.tracked, effective_at=api_key.created_at)
                for api_key in api_keys
            ),
            batch_size=audit.BATCH_SIZE,
        )
        news.record_all(
            audit.entry(
                "api_key.created",
                actor=actor,
                organization=api_key.user.default_organization,
                target_id=api_key.public_id,
                target_name=api_key.name,
                details={"imported": imported, "tracked": api_key.tracked, "user": api_key.user.email},
            )
            for api_key in api_keys
        )
