"""SITE_ADDRESS: how it is written, what follows from it, and which part of a path is the proxy's."""

import json
import os
import subprocess
import sys
from typing import Any, Final

import pytest
from django.urls import reverse, set_script_prefix

from accounts.installation.site import address_of
from usage_dashboard.web.site_address import parse, under

FOLLOWS: Final = (
    "SITE_ADDRESS",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "HTTPS",
    "FORCE_SCRIPT_NAME",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_PATH",
    "CSRF_COOKIE_PATH",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_HSTS_SECONDS",
    "STATIC_URL",
    "ALLAUTH_TRUSTED_PROXY_COUNT",
)
LOCAL: Final = ["localhost", "127.0.0.1", "[::1]"]


def read(**environment: str) -> dict[str, Any]:
    """What the settings are in a fresh process."""
    code = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {FOLLOWS!r}}}))
"""
    given = {name: value for name, value in os.environ.items() if name != "SITE_ADDRESS"}
    completed = subprocess.run(
        [sys.executable, "-c", code], env={**given, **environment}, capture_output=True, text=True, check=False
    )
    found: dict[str, Any] = json.loads(completed.stdout) if completed.returncode == 0 else {"said": completed.stderr}
    return found


def test_a_domain_with_https_needs_nothing_else() -> None:
    assert read(SITE_ADDRESS="https://usage.example.com/") == {
        "SITE_ADDRESS": "https://usage.example.com",
        "ALLOWED_HOSTS": ["usage.example.com", *LOCAL],
        "CSRF_TRUSTED_ORIGINS": ["https://usage.example.com"],
        "HTTPS": True,
        "FORCE_SCRIPT_NAME": None,
        "SESSION_COOKIE_NAME": "__Host-usage-dashboard-session",
        "SESSION_COOKIE_PATH": "/",
        "CSRF_COOKIE_PATH": "/",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "SECURE_HSTS_SECONDS": 31_536_000,
        "STATIC_URL": "/static/",
        "ALLAUTH_TRUSTED_PROXY_COUNT": 1,
    }


def test_a_path_of_somebodys_site_is_in_cookies_and_files_and_promises_nothing_for_the_host() -> None:
    found = read(SITE_ADDRESS="https://Example.com:8443/usage/")
    assert found["SITE_ADDRESS"] == "https://example.com:8443/usage"
    assert found["ALLOWED_HOSTS"] == ["example.com", *LOCAL]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://example.com:8443"]
    assert found["FORCE_SCRIPT_NAME"] == found["SESSION_COOKIE_PATH"] == found["CSRF_COOKIE_PATH"] == "/usage"
    assert found["SESSION_COOKIE_NAME"] == "__Secure-usage-dashboard-session"
    assert found["STATIC_URL"] == "/usage/static/"
    assert found["SECURE_HSTS_SECONDS"] == 0


def test_plain_http_has_no_proxy() -> None:
    found = read(SITE_ADDRESS="http://10.0.0.7:8000")
    assert found["ALLOWED_HOSTS"] == ["10.0.0.7", *LOCAL]
    assert not found["HTTPS"]
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 0
    assert found["SECURE_PROXY_SSL_HEADER"] is None


def test_nothing_set_is_this_machine() -> None:
    found = read(PORT="8123")
    assert found["SITE_ADDRESS"] == "http://localhost:8123"
    assert found["ALLOWED_HOSTS"] == LOCAL


def test_what_follows_can_be_said_otherwise() -> None:
    found = read(
        SITE_ADDRESS="https://usage.example.com",
        ALLOWED_HOSTS=".example.com",
        CSRF_TRUSTED_ORIGINS="https://other.example.com",
        HTTPS="0",
        TRUSTED_PROXY_COUNT="2",
    )
    assert found["ALLOWED_HOSTS"] == [".example.com"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://other.example.com"]
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 2


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"SITE_ADDRESS": "https://usage.example.com", "ALLOWED_HOSTS": "example.com"},
            "ALLOWED_HOSTS has not usage.example.com, the host of SITE_ADDRESS: add it, or unset ALLOWED_HOSTS.",
        ),
        (
            {"SITE_ADDRESS": "http://usage.example.com", "HTTPS": "1"},
            "HTTPS is 1 and SITE_ADDRESS is http://usage.example.com: it must begin with https:// then.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_said_in_a_sentence(environment: dict[str, str], sentence: str) -> None:
    assert read(**environment)["said"].splitlines()[1:] == [f"- {sentence}"]


@pytest.mark.parametrize(
    "address",
    [
        "usage.example.com",
        "//usage.example.com",
        "ftp://usage.example.com",
        "https://",
        "https:///usage",
        "https://usage.example.com:port",
        "https://*.example.com",
        "https://ü.example.com",
        "https://user:hushhush@usage.example.com",
        "https://usage.example.com/?next=1",
        "https://usage.example.com/#top",
        "https://example.com/a//b",
        "https://example.com/../b",
        "https://example.com/ä",
        "https://example.com/a b",
        "https://example.com/a;b",
    ],
)
def test_what_is_no_address_of_a_site_is_said_in_the_rest_of_a_sentence(address: str) -> None:
    with pytest.raises(ValueError, match=r"^(is “|has the|must be).*\.$") as refused:
        parse(address)
    assert "hushhush" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://[::1]:8000", "https://example.com/a/b-c_d~e.f", "https://10.0.0.7"])
def test_these_are_addresses_of_sites(address: str) -> None:
    assert str(parse(address)) == address
    assert str(parse(f"{address}/")) == address


@pytest.mark.parametrize(
    ("came", "within"),
    [
        ("/usage/accounts/login/", "/accounts/login/"),
        ("/usage/", "/"),
        ("/usage", "/"),
        ("/usage/usage", "/usage"),
        ("/usagefoo", "/usagefoo"),
        ("/healthz", "/healthz"),
        ("/v1/usage/events", "/v1/usage/events"),
    ],
)
def test_the_path_of_the_site_is_taken_off_once(came: str, within: str) -> None:
    assert under(came, "/usage") == within


@pytest.mark.parametrize("came", ["/", "/usage", "/usage/accounts/login/"])
def test_what_the_proxy_has_taken_off_is_not_taken_off_again(came: str) -> None:
    assert under(came, "/usage", "/usage") == under(came, "/usage", "/usage/") == came


@pytest.mark.parametrize("prefix", ["/", "/usage/"], ids=["in a worker", "in a request"])
def test_links_have_the_path_of_the_site_once(settings: Any, prefix: str) -> None:
    """A worker's threads know nothing of the path when they reverse an address, a request does."""
    settings.SITE_ADDRESS = "https://example.com/usage"
    set_script_prefix(prefix)
    try:
        assert address_of(reverse("metering:usage")) == "https://example.com/usage/usage"
        assert address_of(reverse("home")) == "https://example.com/usage/"
    finally:
        set_script_prefix("/")
