"""Who may read /metrics: nobody, until a token or addresses are set; then who has the one and comes from the others."""

from ipaddress import ip_network

import pytest
from django.db import connection
from pytest_django import Settings

from tests.usage_dashboard.monitoring.scrape import TOKEN, ask

pytestmark = pytest.mark.django_db
INSIDE = "10.1.2.3"


@pytest.fixture
def inside(settings: Settings) -> Settings:
    settings.METRICS_ADDRESSES = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    return settings


def status(token: str | None = None, **options: str) -> int:
    return ask(token, **options).status_code


def test_there_is_no_such_page_until_somebody_wants_it() -> None:
    assert [status(), status(TOKEN), status("")] == [404, 404, 404]


def test_the_token_opens_it_and_nothing_like_the_token(measured: Settings, redis_server: None) -> None:
    assert status(TOKEN) == 200
    assert [status(), status(""), status(TOKEN[:-1]), status(TOKEN + "x"), status("ü")] == [401] * 5
    assert ask(None).headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_opens_it_under_any_host_and_stays_out_of_caches(measured: Settings, redis_server: None) -> None:
    answer = ask(HTTP_HOST="web:8000")
    assert (answer.status_code, answer.headers["Cache-Control"].count("no-store")) == (200, 1)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("address", [INSIDE, "::ffff:10.1.2.3", "fd00::7"])
def test_an_address_that_is_allowed_opens_it(inside: Settings, redis_server: None, address: str) -> None:
    assert status(REMOTE_ADDR=address) == 200


@pytest.mark.parametrize("address", ["10.2.0.1", "203.0.113.9", "::1", "", "nonsense"])
def test_from_any_other_address_there_is_no_such_page(inside: Settings, address: str) -> None:
    assert status(REMOTE_ADDR=address) == 404


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"])
def test_a_proxy_that_nobody_counts_does_not_lend_its_address_to_strangers(inside: Settings, header: str) -> None:
    assert status(REMOTE_ADDR=INSIDE, **{header: "10.1.9.9"}) == 404


def test_behind_a_proxy_that_is_counted_the_client_decides(inside: Settings, redis_server: None) -> None:
    inside.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert status(REMOTE_ADDR=INSIDE, HTTP_X_FORWARDED_FOR="203.0.113.9") == 404
    assert status(REMOTE_ADDR=INSIDE, HTTP_X_FORWARDED_FOR="10.1.9.9, 203.0.113.9") == 404
    assert status(REMOTE_ADDR=INSIDE, HTTP_X_FORWARDED_FOR="203.0.113.9, 10.1.9.9") == 200
    assert status(REMOTE_ADDR=INSIDE) == 200, "who asks past the proxy"


def test_with_a_token_and_addresses_both_are_needed(inside: Settings, measured: Settings, redis_server: None) -> None:
    assert status(TOKEN, REMOTE_ADDR=INSIDE) == 200
    assert status(None, REMOTE_ADDR=INSIDE) == 401
    assert status(TOKEN, REMOTE_ADDR="203.0.113.9") == 404


def test_plain_http_is_not_led_elsewhere(measured: Settings, redis_server: None) -> None:
    measured.SECURE_SSL_REDIRECT = True
    assert status(TOKEN) == 200


@pytest.mark.django_db(transaction=True)
def test_without_the_database_it_says_so(measured: Settings, redis_server: None) -> None:
    host, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], "/nowhere"
    connection.close()
    try:
        assert status(TOKEN) == 503
    finally:
        connection.settings_dict["HOST"] = host
