"""Secrets of callers: made here, shown once, kept as digests only."""

import hashlib
import re
from typing import Final

from accounts.public_ids import random_text

API_KEY_PREFIX: Final = "sk-"
ADMIN_KEY_PREFIX: Final = "sk-admin-"
INGEST_TOKEN_PREFIX: Final = "it-"  # noqa: S105 - a prefix, no secret
OPERATOR_TOKEN_PREFIX: Final = "op-"  # noqa: S105 - a prefix, no secret
SCIM_TOKEN_PREFIX: Final = "scim-"  # noqa: S105 - a prefix, no secret
RANDOM_CHARACTERS: Final = 40  # of 62: 238 bits, so that a plain digest needs no salt
SHOWN_CHARACTERS: Final = 3
LOOKS_LIKE_A_SECRET: Final = re.compile(r"\b(?:sk|it|op|scim)-[A-Za-z0-9_-]{20,}")


def make_api_key_secret() -> str:
    """A new secret of an API key: `sk-` and 40 random letters and digits from the system's secure source."""
    return API_KEY_PREFIX + random_text(RANDOM_CHARACTERS)


def make_admin_key_secret() -> str:
    """A new secret of an admin key: `sk-admin-` and 40 random letters and digits from the system's secure source."""
    return ADMIN_KEY_PREFIX + random_text(RANDOM_CHARACTERS)


def make_ingest_token_secret() -> str:
    """A new ingest token: `it-` and 40 random letters and digits from the system's secure source."""
    return INGEST_TOKEN_PREFIX + random_text(RANDOM_CHARACTERS)


def make_operator_token_secret() -> str:
    """A new operator token: `op-` and 40 random letters and digits from the system's secure source."""
    return OPERATOR_TOKEN_PREFIX + random_text(RANDOM_CHARACTERS)


def make_scim_token_secret() -> str:
    """A new SCIM token: `scim-` and 40 random letters and digits from the system's secure source."""
    return SCIM_TOKEN_PREFIX + random_text(RANDOM_CHARACTERS)


def digest(secret: str) -> bytes:
    """The 32 bytes of SHA-256 over the secret's UTF-8: what is stored and looked up."""
    return hashlib.sha256(secret.encode()).digest()


def redact(secret: str) -> str:
    """`sk-...q9Z`: the prefix and the last three characters, enough for its owner to tell keys apart."""
    prefix = ADMIN_KEY_PREFIX if secret.startswith(ADMIN_KEY_PREFIX) else secret.partition("-")[0] + "-"
    return f"{prefix}...{secret[-SHOWN_CHARACTERS:]}"


def contains_secret(text: str) -> bool:
    """Whether a text holds something that looks like an API key or a token, so that it must not be stored."""
    return LOOKS_LIKE_A_SECRET.search(text) is not None
