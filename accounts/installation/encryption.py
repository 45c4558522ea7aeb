"""Secrets that the product has to know in clear are encrypted in the database, with keys that follow from SECRET_KEY.

A backup or a copy of the database alone tells nobody what they are. What was encrypted under an earlier SECRET_KEY can be
read as long as that one is in SECRET_KEY_FALLBACKS.
"""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableSecretError(Exception):
    """A secret that none of the keys reads; the message is for the operator."""


def encrypt(text: str, *, purpose: str) -> str:
    """Under the key of SECRET_KEY for this purpose; what is encrypted for one purpose cannot be read for another."""
    return _cipher(purpose).encrypt(text.encode()).decode()


def decrypt(encrypted: str, *, purpose: str) -> str:
    """Raises UnreadableSecretError."""
    try:
        return _cipher(purpose).decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise UnreadableSecretError(
            "The secret cannot be read: SECRET_KEY is another one than when it was stored (see SECRET_KEY_FALLBACKS)."
        ) from error


def encrypt_again(encrypted: str, *, purpose: str) -> str:
    """The same secret under the SECRET_KEY of now. Raises UnreadableSecretError."""
    return encrypt(decrypt(encrypted, purpose=purpose), purpose=purpose)


def _cipher(purpose: str) -> MultiFernet:
    return MultiFernet([_fernet(key, purpose) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@lru_cache(maxsize=16)
def _fernet(key: str, purpose: str) -> Fernet:
    derived = hashlib.scrypt(key.encode(), salt=purpose.encode(), n=2, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(derived))
