"""What may be shown of a refused item: names that its sender gave, with no secret and no character that is not visible."""

import hashlib
import re
from typing import Final

from apikeys import secrets

OWN_ID: Final = re.compile(r"key_[0-9A-Za-z]{17}")
DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
PREFIX: Final = "sha256:"
PREFIX_DIGITS: Final = 16
MAX_ID: Final = 64
MAX_SENTENCE: Final = 300
WITHHELD: Final = "(withheld: it looks like a secret)"


def key_name(named: object) -> str:
    """The public id of a key as it is; of anything else, which may be a secret, the beginning of its SHA-256.

    A digest in hex stands for itself, so that a key which came as its secret and as its digest has one name.
    """
    if not isinstance(named, str) or not named:
        return ""
    if OWN_ID.fullmatch(named):
        return named
    digest = named.lower() if DIGEST.fullmatch(named) else hashlib.sha256(named.encode(errors="replace")).hexdigest()
    return f"{PREFIX}{digest[:PREFIX_DIGITS]}"


def id_of(named: object) -> str:
    """A sender's id of an event."""
    return _clean(named, MAX_ID) if isinstance(named, str) else ""


def sentence(message: str) -> str:
    return _clean(message, MAX_SENTENCE)


def _clean(text: str, most: int) -> str:
    if secrets.contains_secret(text):
        return WITHHELD
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:most])
