"""What a monitor is told."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.clock import database_now
from metering.models import IngestBatch


def test_web_is_alive_without_asking_any_store(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_ready_when_database_broker_and_rollups_keep_up(client: Client, redis_server: None) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("rollup_lag_seconds") < 1
    assert answer == {"status": "ok", "database": "ok", "broker": "ok"}


@pytest.mark.django_db
def test_degraded_but_in_service_without_the_broker(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis+socket:///nowhere/redis.sock"

    response = client.get("/readyz")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["broker"]) == ("degraded", "down")


@pytest.mark.django_db
def test_not_ready_when_rollups_fall_behind(client: Client, redis_server: None) -> None:
    now = database_now()
    IngestBatch.objects.create(
        received_at=now - timedelta(minutes=10), first_occurred_at=now, last_occurred_at=now, num_events=1
    )

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["status"] == "lagging"
    assert response.json()["rollup_lag_seconds"] == pytest.approx(600, abs=5)


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_the_database(client: Client) -> None:
    host, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], "/nowhere"
    connection.close()
    try:
        response = client.get("/readyz")
    finally:
        connection.settings_dict["HOST"] = host

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json() == {"status": "unavailable", "database": "down"}
