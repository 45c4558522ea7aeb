"""What runs, rebuilds and changes of prices hand on to be rated: rows of organizations' days, each once."""

from datetime import date, timedelta

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.clock import database_now
from accounts.periods import one_day
from apikeys.models import APIKey
from metering.models import OrganizationDailyUsage
from metering.rollups import run
from metering.rollups.touched import Touched, touch
from tests.engine import days_ago, make_event, make_key, make_token, send
from tests.world import World

pytestmark = pytest.mark.django_db

Row = tuple[int, date, int]


def rows_of(touched: Touched) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT organization_id, day, sku_id FROM {touched.table} ORDER BY 1, 2, 3")
        return list(cursor.fetchall())


def stored_rows(**where: object) -> list[Row]:
    rows = OrganizationDailyUsage.objects.filter(**where).values_list("organization_id", "day", "sku_id")
    return sorted(rows)


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.alice)


@pytest.fixture
def token() -> str:
    return make_token()


def roll_up() -> run.RolledUp | None:
    with transaction.atomic(), connection.cursor() as cursor:
        assert run.lock(cursor, wait=True)
        return run.roll_up(cursor)


def send_of_two_days(key: APIKey, token: str) -> None:
    events = [
        make_event(api_key_id=key.public_id, id=f"{model}-{ago}-{n}", model=model, timestamp=days_ago(ago))
        for model in ("a", "b")
        for ago in (1, 2)
        for n in range(3)
    ]
    assert set(send(events, token)) == {"accepted"}


def test_a_run_says_how_many_events_it_added_and_which_rows_of_days_they_touched(key: APIKey, token: str) -> None:
    send_of_two_days(key, token)
    done = roll_up()
    assert done is not None
    assert done.num_events == 12
    assert rows_of(done.touched) == stored_rows()
    assert len(stored_rows()) == 4


def test_a_run_touches_nothing_of_what_earlier_ones_did(key: APIKey, token: str) -> None:
    send_of_two_days(key, token)
    first = roll_up()
    send([make_event(api_key_id=key.public_id, id="later", model="a", timestamp=days_ago(1))], token)
    second = roll_up()
    assert first is not None
    assert second is not None
    [row] = rows_of(second.touched)
    assert row in rows_of(first.touched)
    assert len(rows_of(first.touched)) == 4


def test_a_run_that_finds_nothing_has_nothing_to_hand_on(world: World) -> None:
    assert roll_up() is None


def test_a_rebuilt_day_is_touched_as_a_whole_and_no_other(key: APIKey, token: str) -> None:
    send_of_two_days(key, token)
    roll_up()
    [day, _] = sorted({row[1] for row in stored_rows()})
    with transaction.atomic(), connection.cursor() as cursor:
        assert run.lock(cursor, wait=True)
        assert rows_of(run.rebuild_day(cursor, one_day(day))) == stored_rows(day=day)


def test_a_row_is_touched_once_however_often_it_is_named(key: APIKey, token: str) -> None:
    send_of_two_days(key, token)
    roll_up()
    named = "metering_organizationdailyusage CROSS JOIN generate_series(1, 3)"
    with connection.cursor() as cursor:
        assert rows_of(touch(cursor, named)) == stored_rows()
        tomorrow = database_now().date() + timedelta(days=1)
        assert rows_of(touch(cursor, "metering_organizationdailyusage WHERE day > %s", [tomorrow])) == []


def test_touched_rows_lie_in_the_order_of_their_keys(key: APIKey, token: str) -> None:
    send_of_two_days(key, token)
    roll_up()
    named = "(SELECT * FROM metering_organizationdailyusage ORDER BY day DESC, sku_id DESC) AS unsorted"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        touched = touch(cursor, named)
        cursor.execute(f"SELECT organization_id, day, sku_id FROM {touched.table}")
        assert list(cursor.fetchall()) == stored_rows()


@pytest.mark.django_db(transaction=True)
def test_touched_rows_end_with_the_transaction_and_without_one_there_are_none(world: World) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        touched = touch(cursor, "metering_organizationdailyusage")
        assert rows_of(touched) == []
    with pytest.raises(ProgrammingError, match="does not exist"):
        rows_of(touched)
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="does not exist"):
        touch(cursor, "metering_organizationdailyusage")
