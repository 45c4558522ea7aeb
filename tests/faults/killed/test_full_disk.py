"""The disk takes no more events: 503, nothing half-stored, and all is well once there is room again."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.clock import database_now
from metering.rollups import partitions
from tests.faults.harness import Stack
from tests.faults.load import Events
from tests.faults.proof import Scenario
from tests.machines.cluster import CITUS_URL
from usage_dashboard.machine.processes import Child

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(bool(CITUS_URL), reason="It is about the disk of the embedded server."),
]
TINY_BYTES = 4 * 2**20
WAL_SEGMENT_BYTES = 16 * 2**20
EVENTS_BEYOND_A_SEGMENT = 180_000
WHILE_FULL_SECONDS = 1.0


def test_a_file_of_a_partition_may_not_grow(stack: Stack, scenario: Scenario) -> None:
    """A limit on the size of files makes the kernel refuse what COPY writes. It spares the log, whose files are smaller."""
    load, old_day = scenario.load, database_now() - timedelta(days=40)
    load.events = Events(load.events.name, load.events.key_ids, [f"{old_day:%Y-%m-%d}"])
    with load.sending(EVENTS_BEYOND_A_SEGMENT, batch_size=1000):
        load.wait_for(0.05)
        with files_of_at_most(stack, WAL_SEGMENT_BYTES):
            _require_503_until_there_is_room(scenario)
    scenario.require_exactly_once()


def test_the_disk_is_full(stack: Stack, scenario: Scenario, num_events: int) -> None:
    """The partition of one day lies on a file system of its own, which is too small."""
    load, old_day = scenario.load, database_now() - timedelta(days=50)
    load.events = Events(load.events.name, load.events.key_ids, [f"{old_day:%Y-%m-%d}"])
    with tiny_disk(stack) as disk:
        with connection.cursor() as cursor:
            cursor.execute("SET default_tablespace = tiny")
            partitions.forget()
            partitions.ensure([old_day.date()])
            cursor.execute("RESET default_tablespace")
        with load.sending(max(num_events, 60_000), batch_size=500):
            _require_503_until_there_is_room(scenario)
            subprocess.run(["mount", "-o", "remount,size=1g", disk], check=True)
        scenario.require_exactly_once()


def _require_503_until_there_is_room(scenario: Scenario) -> None:
    """Some events were taken before it was full; from then on requests are refused, but for small ones that still find room.
    None of a refused request is stored, as the count at the end shows."""
    troubles = scenario.load.ledger.troubles
    _wait_for_more_refused(scenario, 0, "it was never full")
    time.sleep(WHILE_FULL_SECONDS)
    _wait_for_more_refused(scenario, troubles["503"], "there was room again")
    assert set(troubles) == {"503"}


def _wait_for_more_refused(scenario: Scenario, num_refused: int, otherwise: str) -> None:
    """Senders rest before they try again, and the longer the busier the machine is."""
    deadline = time.monotonic() + 60
    while scenario.load.ledger.troubles["503"] <= num_refused:
        assert scenario.load.is_on(), otherwise
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


@contextmanager
def files_of_at_most(stack: Stack, num_bytes: int) -> Iterator[None]:
    """PostgreSQL's connections, those of now and those to come, may not write beyond that place of any file."""
    try:
        limit_files(stack, str(num_bytes))
        yield
    finally:
        limit_files(stack, "unlimited")


def limit_files(stack: Stack, num_bytes: str) -> None:
    """The kernel lets a process's own account change its limits, and root only with a privilege that containers lack."""
    postgres = stack.children["postgres"]
    assert isinstance(postgres, Child)
    account = postgres.account
    own: dict[str, Any] = {"user": account.user_id, "group": account.group_id, "extra_groups": []} if account else {}
    for process in stack.postgres_backends():
        command = ["prlimit", "--pid", str(process.pid), f"--fsize={num_bytes}:"]
        done = subprocess.run(command, check=False, capture_output=True, **own)
        assert done.returncode == 0 or not process.is_running(), done.stderr


@contextmanager
def tiny_disk(stack: Stack) -> Iterator[Path]:
    """A small file system that holds a tablespace; skips where file systems cannot be mounted."""
    disk = stack.plan.data_dir / "tiny"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TINY_BYTES}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("file systems cannot be mounted here; the test of a file that may not grow covers most of it")
    try:
        place = disk / "tablespace"
        place.mkdir()
        owner = (stack.plan.data_dir / "postgres").stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE tiny LOCATION '{place}'")
        yield disk
    finally:
        _move_away(stack)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _move_away(stack: Stack) -> None:
    """What lies in the tablespace moves to where everything else is, and the tablespace is dropped."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ALL IN TABLESPACE tiny SET TABLESPACE pg_default")
        cursor.execute("ALTER INDEX ALL IN TABLESPACE tiny SET TABLESPACE pg_default")
        cursor.execute("DROP TABLESPACE tiny")
