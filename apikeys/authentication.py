"""From an `Authorization: Bearer …` header to the digest of its secret. The secret itself goes no further than here."""

import hashlib

SCHEME = "bearer "
LONGEST_HEADER = 512


def bearer_digest(header: str) -> bytes | None:
    """The SHA-256 digest of the header's secret; None for a missing, over-long or otherwise unusable header."""
    if len(header) > LONGEST_HEADER or not header.lower().startswith(SCHEME):
        return None
    secret = header[len(SCHEME) :].strip()
    return hashlib.sha256(secret.encode()).digest() if secret else None
