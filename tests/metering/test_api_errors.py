"""Errors of `/v1`: JSON, whatever is wrong, and no redirects; and what strangers put into addresses and cookies."""

import json
from typing import Final

import pytest
from django.test import Client
from pytest_django import Settings

from tests.engine import make_token
from tests.world import World

pytestmark = pytest.mark.django_db
DEEP: Final = b"[" * 100_000 + b"]" * 100_000
OPERATOR: Final = "an operator's token of some length"
ADDRESSES: Final = (
    "/v1/usage/events",
    "/v1/usage/responses",
    "/v1/integrations/litellm",
    "/v1/keys/verify",
    "/v1/invoices/1/payment",
    "/v1/organizations/org_1/refunds",
)


def error_of(
    client: Client, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    response = client.generic(method, path, body, content_type="application/json", headers=headers)
    assert response.headers["Content-Type"].startswith("application/json"), (
        response.status_code,
        response.content[:200],
    )
    error = json.loads(response.content)["error"]
    assert error["message"]
    return response.status_code, error["code"]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/usage/events/", "/v1/keys/verify/x", "/v1/a%00b"])
def test_an_address_that_is_not_there_is_said_in_json(client: Client, path: str) -> None:
    status, _ = error_of(client, "POST", path)
    assert status in (400, 404)


@pytest.mark.parametrize("path", ADDRESSES)
def test_another_method_is_refused_in_json(client: Client, settings: Settings, path: str) -> None:
    settings.OPERATOR_TOKEN = OPERATOR
    for method in ("GET", "DELETE"):
        assert error_of(client, method, path) == (405, "method_not_allowed")


@pytest.mark.parametrize("body", [DEEP, b'{"a":' * 100_000, b"{", b"\xff"], ids=["deep", "open", "cut", "no text"])
def test_json_that_nobody_can_read_is_a_400(
    client: Client, settings: Settings, world: World, token: str, body: bytes
) -> None:
    settings.OPERATOR_TOKEN = OPERATOR
    refunds = f"/v1/organizations/{world.acme.public_id}/refunds"
    assert error_of(client, "POST", "/v1/keys/verify", body, headers=bearer(token))[0] == 400
    assert error_of(client, "POST", refunds, body, headers=bearer(OPERATOR))[0] == 400


def test_what_the_operator_asks_for_and_is_not_there_is_said_in_the_same_shape(
    client: Client, settings: Settings
) -> None:
    settings.OPERATOR_TOKEN = OPERATOR
    assert error_of(client, "POST", "/v1/invoices/1/payment", headers=bearer(OPERATOR)) == (404, "not_found")
    settings.OPERATOR_TOKEN = ""
    assert error_of(client, "POST", "/v1/invoices/1/payment", headers=bearer(OPERATOR)) == (404, "not_found")


def test_an_error_of_ours_is_said_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("billing.pages.key_verification.verify", fail)
    client = Client(raise_request_exception=False)
    answer = error_of(client, "POST", "/v1/keys/verify", b'{"key": "sk-1"}', headers=bearer(make_token()))
    assert answer == (500, "internal_error")


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_secret_over_plain_http_is_refused_with_a_sentence_where_https_is_said(
    client: Client, settings: Settings, path: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert error_of(client, "POST", path, headers=bearer("sk-in-clear")) == (403, "https_required")
    status, code = error_of(client, "POST", path, headers={**bearer("sk-1"), "X-Forwarded-Proto": "https"})
    assert (status, code) != (403, "https_required")


def test_programs_may_name_any_host(client: Client, redis_server: None) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
    answer = error_of(client, "POST", "/v1/keys/verify", headers={"Host": "usage-dashboard.internal"})
    assert answer[0] == 401
    assert client.get("/accounts/login/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("value", ["\\000", "a\\000b", "\x00"])
def test_a_session_cookie_with_a_nul_is_nobodys(client: Client, settings: Settings, value: str) -> None:
    response = client.get("/usage", headers={"Cookie": f'{settings.SESSION_COOKIE_NAME}="{value}"'})
    assert response.status_code in (302, 400)


@pytest.mark.parametrize("path", ["/usage?q=%00", "/accounts/login/?next=%00", "/invitations/%00/", "/v1/keys/%00"])
def test_a_nul_in_an_address_is_no_error_of_ours(client: Client, path: str) -> None:
    assert client.get(path).status_code in (302, 400, 404)
