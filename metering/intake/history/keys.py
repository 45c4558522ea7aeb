"""Whose usage a row is: what a file calls a key → the public id of ours."""

import csv
import re
from collections.abc import Collection, Iterable
from typing import Final

from django.db.models import Q

from apikeys.models import APIKey

COLUMNS: Final = ("theirs", "api_key_id")
DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
MAX_REMEMBERED: Final = 200_000


class UnreadableKeysError(ValueError):
    """A file of keys that cannot be read, with a sentence."""


class Keys:
    """What was said of keys, and which were found by their SHA-256 (in hex), so that each is asked for once."""

    def __init__(self, said: dict[str, str]) -> None:
        self._said = said
        self._by_digest: dict[str, str] = {}

    def learn(self, named: Collection[str | None]) -> None:
        """Look up those that are digests; in one query."""
        digests = {name.lower() for name in named if name and name not in self._said and DIGEST.fullmatch(name)}
        if len(self._by_digest) > MAX_REMEMBERED:
            self._by_digest.clear()
        new = [bytes.fromhex(digest) for digest in digests - self._by_digest.keys()]
        found = APIKey.objects.filter(Q(digest__in=new) | Q(previous_digest__in=new)) if new else ()
        for api_key in found:
            for digest in (api_key.digest, api_key.previous_digest):
                if digest is not None:
                    self._by_digest[bytes(digest).hex()] = api_key.public_id

    def id_of(self, named: str | None) -> str | None:
        """The public id that was said or found; else the name itself, which may be one."""
        name = named or ""
        return self._said.get(name) or self._by_digest.get(name.lower()) or named


def read_keys(lines: Iterable[str]) -> dict[str, str]:
    """CSV with the columns `theirs` (as the file to import names a key; empty: rows that name none) and `api_key_id`.

    Raises UnreadableKeysError, also for an id that no key has.
    """
    reader = csv.DictReader(lines)
    if missing := sorted(set(COLUMNS) - set(reader.fieldnames or ())):
        raise UnreadableKeysError(f"The first line of the keys must name the columns; missing: {', '.join(missing)}.")
    said = {(row["theirs"] or "").strip(): (row["api_key_id"] or "").strip() for row in reader}
    wanted = set(said.values())
    unknown = wanted - set(APIKey.objects.filter(public_id__in=wanted).values_list("public_id", flat=True))
    if unknown:
        raise UnreadableKeysError(f"No API key has this id: {', '.join(sorted(unknown)[:5])}.")
    return said
