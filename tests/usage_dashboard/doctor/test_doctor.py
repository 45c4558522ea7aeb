"""`manage.py doctor`: each thing that is wrong with an installation is one sentence with its remedy, and the exit status."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from accounts.clock import database_now
from accounts.installation import encryption
from accounts.installation.brand import Brand, Image
from accounts.models import User
from billing.alerts import WEBHOOK_SECRETS, WebhookEndpoint
from billing.models import DailyCost, LineItem
from metering.cluster import distribution, state
from metering.models import FailedItem, IngestBatch, Verification
from metering.rollups import deltas, partitions
from metering.rollups.tables import DISTRIBUTED
from tests.machines.certificates import Authority
from tests.machines.proxies import Proxy, serving
from tests.usage.rollup_rows import sku_of
from tests.world import World
from usage_dashboard.celery import app
from usage_dashboard.doctor import programs, stores, surroundings, work
from usage_dashboard.doctor.examination import examine
from usage_dashboard.doctor.findings import Check, Weight
from usage_dashboard.machine.launcher import Plan
from usage_dashboard.machine.launcher import programs as programs_of
from usage_dashboard.machine.processes import Child, wait_until
from usage_dashboard.machine.tuning.memory import parse
from usage_dashboard.models import Backup
from usage_dashboard.web import site_address

NOWHERE: Final = "postgres://nobody@127.0.0.1:1/nothing"
SITE: Final = "https://usage.example.com"


def found(check: Check, weight: Weight = Weight.WRONG) -> list[str]:
    """The sentences of this weight."""
    return [f"{each.sentence} {each.remedy}".strip() for each in check() if each.weight is weight]


@pytest.fixture
def for_others(settings: Settings) -> Settings:
    """Settings of an installation that people come to."""
    settings.SITE, settings.SITE_ADDRESS, settings.HTTPS = site_address.parse(SITE), SITE, True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.STAFF_SECOND_FACTOR = True
    return settings


@pytest.fixture
def staff(world: World) -> User:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    return world.alice


def run() -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def test_it_says_everything_in_lines_and_ends_with_1(world: World, redis_server: None) -> None:
    status, printed = run()
    lines = printed.splitlines()
    assert status == 1
    assert "WRONG  Nobody is a superuser. Run manage.py createsuperuser." in lines
    assert (
        "WRONG  No worker answers: rollups, prices and budgets stand still. Start worker (Procfile), or see its log."
        in lines
    )
    assert all(line[:7] in {"WRONG  ", "note   "} for line in lines[:-1])
    assert lines[-1].startswith(f"{sum(line.startswith('WRONG') for line in lines)} things to mend, ")


def test_nothing_to_mend_ends_with_0(
    world: World, for_others: Settings, staff: User, redis_server: None, tmp_path: Path
) -> None:
    partitions.ensure_ahead()
    Authenticator.objects.create(user=staff, type=Authenticator.Type.WEBAUTHN, data={})
    Backup.objects.create(as_of=database_now(), name="usage.backup", num_bytes=1)
    for_others.DEBUG = False
    with at_work(tmp_path, "worker", "deliveries", "beat"):
        status, printed = run()
    assert (status, "WRONG" in printed) == (0, False), printed
    assert f"{SITE} does not lead to web from here" in printed


@contextmanager
def at_work(directory: Path, *names: str) -> Iterator[None]:
    """These programs, as the launcher starts them. What their tasks ask for is not in their database; that they log."""
    arguments = programs_of(Plan(data_dir=directory, port=1))
    children = [
        Child(
            name=name,
            command=[sys.executable, *arguments[name]],
            log=directory / f"{name}.log",
            directory=django_settings.BASE_DIR,
            environment={**os.environ, "REDIS_URL": str(django_settings.REDIS_URL), "DATABASE_URL": NOWHERE},
        )
        for name in names
    ]
    _forget()
    try:
        for child in children:
            child.start()
        wait_until(lambda: not any(name in " ".join(found(programs.workers)) for name in names), timeout_seconds=60)
        yield
    finally:
        for child in children:
            child.stop()
        _forget()


def _forget() -> None:
    """What other tests left in Redis, and this one."""
    with app.connection_for_write() as broker:
        channel: Any = broker.channel()
        channel.client.flushdb()


def test_each_program_that_does_not_run_is_named(redis_server: None, tmp_path: Path) -> None:
    with at_work(tmp_path, "deliveries"):
        said = found(programs.workers)
        assert [sentence.split(":")[0] for sentence in said] == [
            "No worker answers",
            "beat has sent nothing for a minute",
        ]
        assert found(programs.workers, Weight.FINE) == ["deliveries answers."]


def test_without_redis_it_is_said_once(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert found(stores.redis) == [
        "Redis does not answer: prices of new models, budgets, emails and webhooks stand still. Start it, or set REDIS_URL."
    ]
    assert list(programs.workers()) == []


def test_a_database_that_is_away_ends_it_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, redis_server: None, settings: Settings
) -> None:
    completed = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": NOWHERE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 1
    assert "WRONG  PostgreSQL does not answer: " in completed.stdout
    assert "Traceback" not in completed.stderr


def test_a_schema_that_is_behind_or_ahead(world: World) -> None:
    assert found(stores.migrations, Weight.FINE) == ["The schema is up to date."]
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('metering', '9999_later', now())")
    assert found(stores.migrations)[0].startswith("The schema is of a newer version (metering.9999_later).")
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'exports' OR (app = 'usage_dashboard' AND name > '0002')"
        )
    assert found(stores.migrations)[0].endswith("to apply. Run manage.py migrate.")
    assert not any("could not be looked at" in finding.sentence for _, finding in examine())


def test_clocks_that_are_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(stores.clocks) == []
    later = database_now() + timedelta(seconds=90)
    monkeypatch.setattr(stores, "database_now", lambda: later)
    assert re.match(
        r"The clocks of this machine and of the database are (89|90) s apart\. Let NTP", found(stores.clocks)[0]
    )


def test_the_address_the_mail_and_the_demo(for_others: Settings) -> None:
    for_others.DEMO = True
    assert found(surroundings.address) == [
        "DEMO is on: its passwords are in the documentation. Unset DEMO, and start with an empty database."
    ]
    for_others.DEMO, for_others.HTTPS = False, False
    assert found(surroundings.address) == [
        f"Passwords and keys go to {SITE} in clear. Set SITE_ADDRESS=https://…, behind a proxy."
    ]
    for_others.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert found(surroundings.mail)[0].endswith("Set EMAIL_URL.")
    for_others.SITE = site_address.parse("http://localhost:8000")
    assert found(surroundings.mail) == found(surroundings.address) == []
    assert len(found(surroundings.mail, Weight.NOTE)) == len(found(surroundings.address, Weight.NOTE)) == 1


def test_a_certificate_that_nobody_knows_is_no_way_to_web(for_others: Settings, tmp_path: Path) -> None:
    with serving(Proxy(Authority(tmp_path, "localhost").server)) as proxy:
        for_others.SITE_ADDRESS = f"https://localhost:{proxy.server_port}"
        (said,) = found(surroundings.address, Weight.NOTE)
    assert "does not lead to web from here" in said
    assert "CERTIFICATE_VERIFY_FAILED" in said


def test_a_secret_key_that_can_be_guessed_or_read(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.SECRET_KEY = tmp_path, "secret"
    assert found(surroundings.secret_key)[0].startswith("SECRET_KEY can be guessed.")
    settings.SECRET_KEY = "0123456789abcdef" * 3
    file = tmp_path / "secret_key"
    file.write_text("x")
    file.chmod(0o644)
    assert found(surroundings.secret_key) == [f"Others on this machine can read {file}. chmod 600 {file}"]
    file.chmod(0o600)
    assert found(surroundings.secret_key) == []


def test_secrets_of_another_key(world: World, settings: Settings) -> None:
    sealed = encryption.encrypt("whsec_a", purpose=WEBHOOK_SECRETS)
    WebhookEndpoint.objects.create(organization=world.acme, url="https://example.com/", encrypted_secret=sealed)
    assert found(surroundings.stored_secrets) == []
    settings.SECRET_KEY = "another one, as after a restore without it"
    assert found(surroundings.stored_secrets)[0].endswith("Add that one to SECRET_KEY_FALLBACKS.")


def test_staff_without_a_second_factor(staff: User, for_others: Settings) -> None:
    assert found(surroundings.staff) == ["1 member of staff has no second factor. It is under You → Security."]
    Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={})
    assert found(surroundings.staff) == []
    for_others.STAFF_SECOND_FACTOR = False
    assert found(surroundings.staff)[0].startswith("Staff needs no second factor")


def test_a_disk_that_is_full(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=5_000_000))
    assert f"The disk of {tmp_path} has 5 MB free. Make room." in found(surroundings.disk)


def test_days_to_come_without_a_table(world: World) -> None:
    partitions.ensure_ahead()
    assert found(work.partitions, Weight.NOTE) == []
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.partition_name(database_now().date() + timedelta(days=1))}")
    partitions.forget()
    (said,) = found(work.partitions, Weight.NOTE)
    assert said.startswith("There is no table for the events of 1 day to come: the first of each makes it.")


def test_work_that_stands_still_or_does_not_add_up(world: World) -> None:
    now = database_now()
    IngestBatch.objects.create(
        received_at=now - timedelta(hours=2), first_occurred_at=now, last_occurred_at=now, num_events=1
    )
    proof = Verification.objects.create(started_at=now, finished_at=now - timedelta(days=3))
    said = found(work.readings)
    assert re.fullmatch(r"Rollups are 7,2\d\d s behind\. See the worker and its log\.", said[0])
    assert said[1].startswith("The sums were last proved on ")
    Verification.objects.filter(pk=proof.pk).update(finished_at=now, num_different=2)
    assert found(work.readings)[1] == (
        "The last proof found 2 rows that differ. Run manage.py verify_rollups, "
        "then rebuild_rollups --from DAY --to DAY-AFTER for what it names."
    )


def test_what_was_given_up(world: World) -> None:
    FailedItem.objects.create(task="deliver", item="1")
    assert found(work.failed_items) == []
    FailedItem.objects.create(task="deliver", item="2", next_attempt_at=None)
    assert found(work.failed_items) == ["What failed for days was given up: 1 item. See “Failed items” under /admin/."]


def test_usage_without_a_price(world: World) -> None:
    assert found(work.prices) == []
    DailyCost.objects.create(
        organization_id=world.acme.pk,
        day=date(2026, 11, 1),
        sku_id=sku_of("gpt-new").pk,
        line_item=LineItem.INPUT,
        quantity=5,
    )
    assert found(work.prices) == ["Usage of 1 model part has no price: it is not billed. See the staff page Prices."]


def test_backups_that_are_old(world: World, for_others: Settings) -> None:
    assert found(work.backups)[0].startswith("No backup has been made.")
    backup = Backup.objects.create(as_of=database_now() - timedelta(hours=49), name="a", num_bytes=1)
    assert found(work.backups)[0].startswith("The last backup is of ")
    Backup.objects.filter(pk=backup.pk).update(as_of=database_now())
    assert found(work.backups) == []
    Backup.objects.all().delete()
    for_others.BACKUP_MAX_AGE_HOURS = 0
    assert list(work.backups()) == []


def test_a_postgresql_that_is_set_for_a_smaller_machine_is_said(world: World, settings: Settings) -> None:
    assert found(stores.tuning, Weight.NOTE) == []
    settings.POSTGRES_MEMORY = parse("64GB")
    (sentence,) = found(stores.tuning, Weight.NOTE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('shared_buffers'), current_setting('max_wal_size')")
        buffers, wal = cursor.fetchone()
    assert f"than one with 64GB for it: shared_buffers is {buffers} and max_wal_size is {wal}." in sentence
    assert sentence.endswith("Run manage.py postgresql_settings, which prints better ones (docs/operations.md).")
    assert found(stores.tuning) == []


def test_more_threads_than_connections_are_wrong(world: World, settings: Settings) -> None:
    settings.WEB_WORKERS, settings.WEB_THREADS = 64, 64
    (sentence,) = found(stores.tuning)
    assert "connections, and web and workers open up to 4240: events are refused then (503)." in sentence
    assert sentence.endswith("Set max_connections to 4260, or less WEB_WORKERS or WEB_THREADS.")


def test_a_logo_that_cannot_be_on_invoices_is_said(settings: Settings) -> None:
    logo = Image(b"<svg/>", "image/svg+xml")
    settings.BRAND = Brand("Northwind AI", logo=logo)
    [sentence] = found(surroundings.paper_logo, Weight.NOTE)
    assert "INVOICE_LOGO" in sentence
    settings.BRAND = Brand("Northwind AI", logo=logo, paper_logo=logo)
    assert found(surroundings.paper_logo, Weight.NOTE) == []


@pytest.fixture
def cluster(db: None) -> Iterator[None]:
    """A database that is distributed: that of the cluster there or, without one, what the catalogs of Citus say of one."""
    tables = (state.PARTS_ON_NODES, *deltas.CLUSTER_TABLES)
    if not state.is_distributed():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL allow_system_table_mods = on")
            cursor.execute("CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod text)")
            cursor.execute("CREATE TABLE pg_catalog.pg_dist_object (objid oid)")
            cursor.execute("INSERT INTO pg_dist_object VALUES (%s::regprocedure)", [distribution.FAST_SUM])
            cursor.execute(f"CREATE TABLE {state.PARTS_ON_NODES} ()")
            cursor.execute(
                f"CREATE TRIGGER copy_to_nodes BEFORE UPDATE ON {state.PARTS}"
                " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            )
            for name, key in deltas.CLUSTER_TABLES.items():
                columns = ", ".join(f"{column} {of_type}" for column, of_type in distribution.columns_of(key).items())
                cursor.execute(f"CREATE TABLE {name} ({columns})")
            for table in (*tables, *DISTRIBUTED, state.EVENTS):
                cursor.execute("INSERT INTO pg_dist_partition VALUES (%s::regclass, 'h')", [table])
        state.forget()
    yield
    state.forget()


def test_a_cluster_on_which_an_upgrade_left_tables_undistributed_is_wrong(cluster: None) -> None:
    assert found(stores.cluster) == []
    assert found(stores.cluster, Weight.FINE) == ["All that grows with usage is on the nodes of the cluster."]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE attributed_total_delta")
    (sentence,) = found(stores.cluster)
    assert sentence.startswith("The cluster is distributed in part, 1 step is left: rollups fail meanwhile.")
    assert sentence.endswith("Stop web, worker and beat, and run manage.py distribute --apply.")
    assert stores.cluster in {check for check, _ in examine()}


def test_one_postgresql_is_asked_for_no_nodes(db: None) -> None:
    assert not found(stores.cluster)
    assert bool(found(stores.cluster, Weight.FINE)) == state.is_distributed()
