"""A day opens by hour and an hour by minute; lists of all parts are searched and paged; whatever is typed, a page answers."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Organization, User
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.metering.pages.test_activity_page import bars, figures, page_of
from tests.usage.rollup_rows import add_hour, add_usage, sku_of
from tests.usage.rollup_rows import make_key as make_named_key
from tests.world import World

SignIn = Callable[[User], Client]
TAB = "/settings/organization/acme/usage"
DAY = date(2026, 3, 14)


@pytest.fixture
def hours(world: World) -> World:
    """14 March 2026: Rita's 5 requests at 09:00 and Bob's 2 at 23:00."""
    for user, hour, requests in ((world.rita, 9, 5), (world.bob, 23, 2)):
        add_usage(world.acme, DAY, user, None, sku_of("gpt-4o"), num_model_requests=requests)
        moment = datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC)
        add_hour(world.acme, moment, user, None, sku_of("gpt-4o"), num_model_requests=requests)
    return world


def test_a_day_opens_by_hour_and_its_chip_closes_it(hours: World, client_of: SignIn) -> None:
    page = page_of(client_of(hours.alice), f"{TAB}/activity/?day={DAY}")
    (trace,) = figures(page)["requests"]["data"]
    assert (len(trace["y"]), trace["y"][9], trace["y"][23]) == (24, 5, 2)
    assert f'href="{TAB}/activity/?month=2026-03" aria-label="Close Mar 14"' in " ".join(page.split())
    assert f"{TAB}/activity/?month=2026-03&amp;day={DAY}&amp;hour=9" not in page  # minutes of March are long gone


@pytest.mark.parametrize("group", ["user", "api_key"])
def test_a_day_has_the_same_total_in_every_grouping(hours: World, client_of: SignIn, group: str) -> None:
    page = page_of(client_of(hours.alice), f"{TAB}/activity/?day={DAY}&group={group}")
    assert sum(bars(figures(page)["requests"]).values()) == 7


def test_an_hour_opens_by_minute_from_raw_events(world: World, client_of: SignIn) -> None:
    at = days_ago(1, hour=13) + timedelta(minutes=7, seconds=30)
    assert send([make_event(timestamp=at, api_key_id=make_key(world.rita).public_id)], make_token()) == ["accepted"]
    roll_up()
    page = page_of(client_of(world.alice), f"{TAB}/activity/?day={at:%Y-%m-%d}&hour=13")
    (trace,) = figures(page)["requests"]["data"]
    assert (len(trace["y"]), trace["y"][7], sum(trace["y"])) == (60, 1, 1)
    assert "13:00–14:00" in page


def test_a_reader_of_a_closed_organization_sees_their_own_hours(hours: World, client_of: SignIn) -> None:
    Organization.objects.filter(pk=hours.acme.pk).update(usage_visibility="owners_and_admins")
    page = page_of(client_of(hours.rita), f"{TAB}/activity/?day={DAY}")
    assert bars(figures(page)["requests"]) == {"gpt-4o": 5}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("day=2026-02-30", "“2026-02-30” is not a day like 2026-11-14"),
        ("day=1999-01-01", "is not a day like"),
        ("month=2026-03&day=2026-04-01", "Apr 1, 2026 is not in March 2026"),
        ("day=2999-01-01", "Jan 1, 2999 has not begun"),
        ("hour=3", "“hour” was ignored; it needs a day"),
        ("day=2026-03-14&hour=24", "it is a number from 0 to 23"),
        ("day=2026-03-14&hour=²", "it is a number from 0 to 23"),
        ("day=2026-03-14&hour=9", "Minutes are kept for 90 days; showing the whole day."),
        ("list=api_key&page=0", "it is a number from 1 to 10000"),
        ("list=api_key&page=99999999999999999999", "it is a number from 1 to 10000"),
        ("list=secrets", "“list=secrets” was ignored"),
        ("list=api_key&q=%00", "“q” was ignored"),
        ("service_tier=gold", "Service tier: gold"),
        ("day=2026-03-14&day=2026-03-15", "given 2 times"),
        ("day=" + "9" * 10_000, "is not a day like"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(
    hours: World, client_of: SignIn, settings: Settings, query: str, sentence: str
) -> None:
    settings.USAGE_EVENT_RETENTION_DAYS = 90
    for view in ("activity", "cost"):
        assert sentence in page_of(client_of(hours.alice), f"{TAB}/{view}/?{query}")


@pytest.mark.parametrize("view", ["activity", "cost"])
def test_any_search_is_text(hours: World, client_of: SignIn, view: str) -> None:
    for search in ("%", "_", "\\", "'", '"><script>', "x" * 10_000):
        page = page_of(client_of(hours.alice), f"{TAB}/{view}/?month=2026-03&list=user&q={quote(search)}")
        assert "0 users found" in page
        assert "<script>" not in page.split('id="usage"')[1]


@pytest.mark.parametrize("view", ["activity", "cost"])
def test_a_list_has_pages_and_every_row_once(world: World, client_of: SignIn, view: str) -> None:
    for n in range(120):
        key = make_named_key(world.rita, f"key-{n:03d}")
        add_usage(world.acme, DAY, world.rita, key, sku_of("gpt-4o"), num_model_requests=n, input_tokens=1)
    client = client_of(world.alice)
    if view == "activity":
        pages = [page_of(client, f"{TAB}/activity/?month=2026-03&list=api_key&page={page}") for page in (1, 2, 3, 4)]
        counts = [page.count('<th scope="row">') for page in pages]
        assert counts == [50, 50, 20, 0]
        assert "120 API keys, page 1 of 3" in pages[0]
    with CaptureQueriesContext(connection) as queries:
        page_of(client, f"{TAB}/{view}/?month=2026-03&list=api_key&page=2")
    assert len(queries) <= 12


def test_usage_is_grouped_and_filtered_by_service_tier(world: World, client_of: SignIn) -> None:
    flex = sku_of("gpt-4o")
    flex.pk, flex.service_tier = None, 2
    flex.save()
    add_usage(world.acme, DAY, world.rita, None, sku_of("gpt-4o"), num_model_requests=3)
    add_usage(world.acme, DAY, world.rita, None, flex, num_model_requests=4)
    client = client_of(world.alice)
    page = page_of(client, f"{TAB}/activity/?month=2026-03&group=service_tier")
    assert bars(figures(page)["requests"]) == {"flex": 4, "default": 3}
    narrowed = page_of(client, f"{TAB}/activity/?month=2026-03&service_tier=flex")
    assert bars(figures(narrowed)["requests"]) == {"gpt-4o": 4}


def test_totals_are_compared_with_the_same_days_of_the_month_before(world: World, client_of: SignIn) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku_of("gpt-4o"), num_model_requests=150)
    add_usage(world.acme, date(2026, 2, 3), world.rita, None, sku_of("gpt-4o"), num_model_requests=100)
    page = page_of(client_of(world.alice), f"{TAB}/activity/?month=2026-03&group=user")
    assert '<span class="accent">+50.0%</span> vs. Feb 1–28' in page


def test_an_unchanged_page_is_not_made_again_and_a_changed_one_is(world: World, client_of: SignIn) -> None:
    today = database_now().date()
    sku = sku_of("gpt-4o")
    add_usage(world.acme, today, world.rita, None, sku, num_model_requests=1)
    client = client_of(world.alice)
    for view in ("activity", "cost"):
        first = client.get(f"{TAB}/{view}/")
        assert first.headers["Cache-Control"] == "no-store"
        assert f'data-live="{first.headers["ETag"]}"'.replace('"', "&quot;") in first.content.decode().replace(
            '"', "&quot;"
        )
        again = client.get(f"{TAB}/{view}/", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["X-Complete-Through"].endswith("Z")
    tag = first.headers["ETag"]
    User.objects.filter(pk=world.rita.pk).update(name="Rita R.")
    renamed = client.get(f"{TAB}/cost/", headers={"If-None-Match": tag})
    assert renamed.status_code == 200
    add_usage(world.labs, today, world.rita, None, sku, num_model_requests=1)
    changed = client.get(f"{TAB}/cost/", headers={"If-None-Match": renamed.headers["ETag"]})
    assert changed.status_code == 200
    assert client_of(world.bob).get(f"{TAB}/cost/").headers["ETag"] != changed.headers["ETag"]


def test_a_month_that_is_over_is_not_asked_for_again(hours: World, client_of: SignIn) -> None:
    assert "data-live" not in page_of(client_of(hours.alice), f"{TAB}/activity/?month=2026-03")
