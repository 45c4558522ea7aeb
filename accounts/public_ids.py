"""Ids that people and programs see: a prefix that names the kind, and 96 random bits."""

import secrets
import string

ALPHABET = string.digits + string.ascii_letters
RANDOM_CHARACTERS = 17  # 62**17 > 2**96


def random_text(length: int = RANDOM_CHARACTERS) -> str:
    """`length` characters out of 62, from the system's secure source."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def random_lower(length: int) -> str:
    """`length` characters out of 36, for addresses."""
    return "".join(secrets.choice(string.digits + string.ascii_lowercase) for _ in range(length))


def organization_id() -> str:
    return f"org_{random_text()}"


def invitation_id() -> str:
    return f"invite_{random_text()}"


def user_id() -> str:
    return f"user_{random_text()}"


def api_key_id() -> str:
    return f"key_{random_text()}"


def admin_key_id() -> str:
    return f"adminkey_{random_text()}"


def operator_token_id() -> str:
    return f"optoken_{random_text()}"


def scim_token_id() -> str:
    return f"scimtoken_{random_text()}"


def scim_group_id() -> str:
    return f"group_{random_text()}"


def project_id() -> str:
    return f"proj_{random_text()}"
