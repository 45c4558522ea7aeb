"""Driving the engine the way its users do: keys and tokens, events over HTTP, and what the database then holds."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import models
from django.http import HttpResponse
from django.test import Client

from accounts.clock import database_now
from accounts.models import Organization, User
from apikeys.keys import keys
from apikeys.models import APIKey
from billing.prices import new_models, rating
from metering.measures import MEASURES
from metering.models import DailyUsage, HourlyUsage, IngestBatch, MonthlyUsage, OrganizationDailyUsage, UsageEvent

ADDRESS: Final = "/v1/usage/events"
TRACKED_SINCE: Final = datetime(2024, 1, 1, tzinfo=UTC)
Sums = dict[str, int]
Body = bytes | dict[str, Any] | Sequence[dict[str, Any]]


def make_token(name: str = "gateway") -> str:
    """The secret of a new ingest token."""
    _, secret = keys.create_ingest_token(name=name)
    return secret


def make_key(
    user: User, name: str = "Laptop", *, created_at: datetime = TRACKED_SINCE, expires_at: datetime | None = None
) -> APIKey:
    api_key, _ = make_key_and_secret(user, name, created_at=created_at, expires_at=expires_at)
    return api_key


def make_key_and_secret(
    user: User, name: str = "Laptop", *, created_at: datetime = TRACKED_SINCE, expires_at: datetime | None = None
) -> tuple[APIKey, str]:
    return keys.create_api_key(user=user, name=name, created_at=created_at, expires_at=expires_at)


def days_ago(days: int, hour: float = 12) -> datetime:
    """A moment on the database's UTC day that many days ago, by default at noon, which today may be still to come."""
    return datetime.combine(database_now().date() - timedelta(days=days), time.min, UTC) + timedelta(hours=hour)


def make_event(**fields: Any) -> dict[str, Any]:
    """A good event of yesterday, with these fields changed or, where None, left out."""
    event = {
        "id": "event-1",
        "timestamp": days_ago(1),
        "usage_type": "completions",
        "model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 20,
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def post(body: Body, secret: str | None, *, content_type: str = "application/json", **headers: str) -> HttpResponse:
    """The answer to `POST /v1/usage/events`. Events are sent as JSON, bytes as they are."""
    if secret is not None:
        headers = {"Authorization": f"Bearer {secret}", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body, default=_text).encode()
    response = Client().post(ADDRESS, data, content_type=content_type, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


def send(events: Body, secret: str) -> list[str]:
    """What became of each event: `accepted`, `duplicate`, or the code of its rejection. The counts must agree."""
    response = post(events, secret)
    assert response.status_code == 200, response.content
    answer = json.loads(response.content)
    results = answer["results"]
    assert [result["index"] for result in results] == list(range(len(results)))
    statuses = [result["status"] for result in results]
    assert answer["accepted"] == statuses.count("accepted")
    assert answer["duplicates"] == statuses.count("duplicate")
    assert answer["rejected"] == statuses.count("rejected")
    return [result.get("code", result["status"]) for result in results]


def roll_up() -> int:
    """Roll up and rate all that waits, then price the models that are new; the number of events.

    Also inside a test's transaction, which never commits.
    """
    total = 0
    while num_events := rating.roll_up_and_rate():
        total += num_events
    new_models.price_all()
    return total


def num_events() -> int:
    """How many events are stored, which is what the batches say they are."""
    stored = UsageEvent.objects.count()
    assert stored == (IngestBatch.objects.aggregate(total=models.Sum("num_events"))["total"] or 0)
    return stored


def home_of(occurred_at: datetime) -> tuple[int, int]:
    """(organization id, routing bits) of the one event at this moment."""
    return UsageEvent.objects.values_list("organization_id", "routing").get(occurred_at=occurred_at)


def sums_of(
    rows: type[HourlyUsage | DailyUsage | MonthlyUsage | OrganizationDailyUsage], *key: str
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The rollup's rows: the columns of the key → the twelve measures, in the order of MEASURES."""
    return {
        row[: len(key)]: tuple(int(value) for value in row[len(key) :])
        for row in rows.objects.values_list(*key, *MEASURES)
    }


def total_of(organization: Organization, measure: str, days: Iterable[date] | None = None) -> int:
    """A measure's sum over the organization's days."""
    usage = OrganizationDailyUsage.objects.filter(organization_id=organization.id)
    if days is not None:
        usage = usage.filter(day__in=list(days))
    return int(usage.aggregate(total=models.Sum(measure))["total"] or 0)


def _text(moment: datetime) -> str:
    return moment.isoformat()


def error_of(body: Any, secret: str | None, **headers: str) -> tuple[int, str]:
    """(status, code) of a request that is refused as a whole, with a sentence, and of which nothing is stored."""
    before = num_events()
    response = post(body, secret, **headers)
    error = json.loads(response.content)["error"]
    assert error["message"].endswith(".")
    assert num_events() == before
    return response.status_code, error["code"]


def case_name(value: Any) -> str:
    return (value if isinstance(value, str) else repr(value))[:60].encode("unicode_escape").decode()
