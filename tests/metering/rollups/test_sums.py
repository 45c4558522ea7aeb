"""Sums are exact whatever their size, and whatever time a run is about."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from billing import proof
from metering.models import ValueMonthlyUsage
from metering.rollups.proof import days_with_events
from metering.rollups.sums import FAST, Sums
from tests.engine import make_event, make_key, make_token, roll_up, send, total_of
from tests.usage.rollup_proof import drift, everything
from tests.usage.what_for import declare, requests_by
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
MOST = 2**63 - 1


def test_sums_of_more_than_64_bits_are_exact(world: World, settings: Settings) -> None:
    settings.USAGE_EVENT_MAX_MEASURE = MOST
    (team,) = declare(world.acme, "team")
    token, key = make_token(), make_key(world.rita).public_id
    events = [
        make_event(id=f"event-{n}", api_key_id=key, input_tokens=MOST, output_tokens=n, attributes={"team": "red"})
        for n in range(1, 4)
    ]
    assert send(events, token) == ["accepted"] * 3
    assert roll_up() == 3
    assert total_of(world.acme, "input_tokens") == 3 * MOST
    assert {row.input_tokens for row in ValueMonthlyUsage.objects.filter(attribute_id=team.pk)} == {3 * MOST}
    assert drift() == {}
    before = everything()
    assert list(proof.rebuild(days_with_events()))
    assert everything() == before


@pytest.mark.parametrize(
    "apart",
    [timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=31)],
    ids=["hour", "day", "month", "more"],
)
def test_every_table_adds_up_whether_a_run_is_of_an_hour_or_of_months(world: World, apart: timedelta) -> None:
    (team,) = declare(world.acme, "team")
    token, key = make_token(), make_key(world.rita).public_id
    noon = database_now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
    for run in range(2):
        events = [
            make_event(
                id=f"event-{run}-{n}",
                api_key_id=key,
                timestamp=noon - (n % 2) * apart + timedelta(minutes=n),
                attributes={"team": ("red", "blue")[n % 3 % 2]},
            )
            for n in range(12)
        ]
        assert send(events, token) == ["accepted"] * 12
        assert roll_up() == 12
        assert drift() == {}
    assert requests_by(team, world.acme) == {"red": 16, "blue": 8}


@pytest.mark.parametrize(
    ("first", "last", "of_one_hour", "of_one_day"),
    [
        ("2026-03-31 12:00:00", "2026-03-31 12:59:59.999999", True, True),
        ("2026-03-31 12:59:59.999999", "2026-03-31 13:00:00", False, True),
        ("2026-03-31 23:59:59.999999", "2026-04-01 00:00:00", False, False),
        ("2026-03-30 12:00:00", "2026-03-31 12:00:00", False, False),
    ],
)
def test_a_run_knows_what_time_it_is_about(first: str, last: str, of_one_hour: bool, of_one_day: bool) -> None:
    bounds = [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (first, last)]
    sums = Sums(FAST, (), *bounds)
    assert (sums.is_of_one_hour, sums.is_of_one_day) == (of_one_hour, of_one_day)
