"""The promises of `apikeys.secrets`."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from apikeys import secrets


def test_an_api_key_is_sk_and_at_least_32_random_characters() -> None:
    secret = secrets.make_api_key_secret()
    assert secret.startswith("sk-")
    assert len(secret) >= len("sk-") + 32
    assert secret.removeprefix("sk-").isalnum()


def test_an_ingest_token_is_it_and_at_least_32_random_characters() -> None:
    secret = secrets.make_ingest_token_secret()
    assert secret.startswith("it-")
    assert len(secret) >= len("it-") + 32


def test_no_secret_is_made_twice() -> None:
    assert len({secrets.make_api_key_secret() for _ in range(1000)}) == 1000


def test_the_digest_is_sha256_of_the_whole_secret() -> None:
    assert secrets.digest("sk-abc") == hashlib.sha256(b"sk-abc").digest()
    assert len(secrets.digest("sk-abc")) == 32


def test_the_redacted_value_shows_the_prefix_and_the_last_three_characters() -> None:
    assert secrets.redact("sk-0123456789abcdefq9Z") == "sk-...q9Z"
    assert secrets.redact("it-0123456789abcdefq9Z") == "it-...q9Z"


def test_a_secret_is_recognized_inside_a_text() -> None:
    assert secrets.contains_secret(f"my key {secrets.make_api_key_secret()}")
    assert secrets.contains_secret(secrets.make_ingest_token_secret())
    assert secrets.contains_secret("sk-proj-abcdefghijklmnopqrstuvwxyz_0123")
    assert secrets.contains_secret("sk-admin-abcdefghijklmnopqrstuvwxyz")


def test_ordinary_names_are_no_secrets() -> None:
    for name in ("Laptop", "sk-prod", "it-support team", "task-abcdefghijklmnopqrstuvwxyz", "🔑 ключ"):
        assert not secrets.contains_secret(name)


@given(st.text(max_size=300))
def test_any_text_can_be_asked_for_a_secret(text: str) -> None:
    secrets.contains_secret(text)
