"""The commands of an operator: what they print, and how they end."""

import io
import re
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.clock import database_now
from accounts.periods import one_day
from apikeys.models import APIKey, IngestToken
from billing.prices import rating
from metering.models import HourlyUsage
from metering.rollups import partitions
from tests.engine import days_ago, make_event, make_key, make_token, send, total_of
from tests.examples.recipes import ROOT
from tests.world import World


def run(name: str, *arguments: str, **options: Any) -> str:
    """What a command prints."""
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, **options)
    return out.getvalue()


def test_create_ingest_token_prints_a_token_alone_that_works_at_once(world: World) -> None:
    printed = run("create_ingest_token", "gateway")
    assert re.fullmatch(r"it-[0-9A-Za-z]{40}\n", printed)
    event = make_event(api_key_id=make_key(world.rita).public_id)
    assert send(event, printed.strip()) == ["accepted"]
    assert printed.strip() not in str(IngestToken.objects.values())


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "line\nbreak"])
def test_create_ingest_token_refuses_a_bad_name_with_a_sentence(db: None, name: str) -> None:
    with pytest.raises(CommandError):
        run("create_ingest_token", name)
    assert not IngestToken.objects.exists()


def test_create_api_key_prints_id_and_secret_that_work_at_once(world: World) -> None:
    public_id, secret = run("create_api_key", "rita@acme.test", "Laptop").split(" ")
    assert re.fullmatch(r"sk-[0-9A-Za-z]{40}\n", secret)
    assert send(make_event(api_key_id=public_id), secret.strip()) == ["accepted"]
    assert APIKey.objects.get(public_id=public_id).tracked


def test_create_api_key_refuses_a_stranger(world: World) -> None:
    with pytest.raises(CommandError, match="Nobody here has the email"):
        run("create_api_key", "nobody@acme.test", "Laptop")
    assert not APIKey.objects.exists()


def fill(world: World) -> date:
    """Two events of the day before yesterday and one of the day before that, rolled up; returns the first day."""
    key, token = make_key(world.rita), make_token()
    events = [make_event(id=f"event-{n}", api_key_id=key.public_id, timestamp=days_ago(2 + n // 2)) for n in range(3)]
    assert send(events, token) == ["accepted"] * 3
    assert rating.catch_up() == 3
    return days_ago(2).date()


def break_day(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE metering_hourlyusage SET input_tokens = 1 WHERE hour >= %s AND hour < %s",
            [one_day(day).start_at, one_day(day).end_at],
        )
        assert cursor.rowcount == 1


@pytest.mark.django_db(transaction=True)
def test_verify_rollups_prints_no_drift_and_ends_well(world: World) -> None:
    fill(world)
    printed = run("verify_rollups")
    assert re.search(r"^raw = hourly +2 rows  drift 0$", printed, re.MULTILINE)
    assert re.search(r"^\d+ days verified, drift 0$", printed, re.MULTILINE)


@pytest.mark.django_db(transaction=True)
def test_verify_rollups_names_what_differs_and_ends_with_an_error(world: World) -> None:
    day = fill(world)
    break_day(day)
    out = io.StringIO()
    with pytest.raises(CommandError, match="rebuild_rollups") as failure:
        call_command("verify_rollups", stdout=out)
    assert failure.value.returncode == 1
    assert f"{day}  raw = hourly: different rows: 2" in out.getvalue()
    assert re.search(r"^\d+ days verified, drift 8$", out.getvalue(), re.MULTILINE)


@pytest.mark.django_db(transaction=True)
def test_verify_rollups_looks_at_the_days_it_is_asked_for(world: World) -> None:
    day = fill(world)
    break_day(day)
    earlier = {"from": f"{day - timedelta(days=1)}", "to": f"{day}"}
    assert "1 day verified, drift 0" in run("verify_rollups", *[f"--{name}={value}" for name, value in earlier.items()])
    with pytest.raises(CommandError):
        run("verify_rollups", f"--from={day}", f"--to={day + timedelta(days=1)}")


@pytest.mark.django_db(transaction=True)
def test_rebuild_rollups_repairs_the_days_from_start_to_before_end(world: World) -> None:
    day = fill(world)
    before = {day - timedelta(days=1), day}
    for broken in before:
        break_day(broken)
    printed = run("rebuild_rollups", f"--from={day}", f"--to={day + timedelta(days=1)}")
    assert printed == f"{day}  rebuilt (1 of 1)\n"
    assert HourlyUsage.objects.filter(input_tokens=1).count() == 1
    run("rebuild_rollups", f"--from={day - timedelta(days=1)}", f"--to={day}")
    assert "drift 0" in run("verify_rollups")
    assert total_of(world.acme, "input_tokens") == 300


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from=2026-11-01"],
        ["--from=2026-11-31", "--to=2026-12-01"],
        ["--from=yesterday", "--to=2026-12-01"],
        ["--from=2026-11-02", "--to=2026-11-02"],
        ["--from=2026-11-02", "--to=2026-11-01"],
        ["--from=2019-11-01", "--to=2019-11-03"],
    ],
    ids=" ".join,
)
def test_rebuild_rollups_refuses_bad_days_with_a_sentence_and_touches_nothing(
    world: World, arguments: list[str]
) -> None:
    fill(world)
    with pytest.raises(CommandError) as failure:
        run("rebuild_rollups", *arguments)
    assert len(str(failure.value)) > 10
    assert total_of(world.acme, "num_model_requests") == 3


@pytest.mark.django_db(transaction=True)
def test_rebuild_rollups_leaves_a_day_whose_raw_events_are_gone(world: World) -> None:
    day = fill(world)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.partition_name(day)}")
    partitions.forget()
    with pytest.raises(CommandError, match="raw events"):
        run("rebuild_rollups", f"--from={day}", f"--to={database_now().date()}")
    assert total_of(world.acme, "num_model_requests") == 3


def test_a_python_without_the_packages_is_told_which_one_has_them() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "manage.py", "doctor"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "type “.venv/bin/python manage.py …”" in done.stderr
    assert "Traceback" not in done.stderr
