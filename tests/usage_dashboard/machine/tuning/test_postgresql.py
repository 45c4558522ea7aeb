"""PostgreSQL's settings follow from its memory and from who connects; what a commit promises is not among them."""

import pytest

from usage_dashboard.machine.tuning.memory import parse
from usage_dashboard.machine.tuning.postgresql import as_arguments, as_file, connections_of, settings_of

SIZES = ("256MB", "512MB", "1GB", "2GB", "4GB", "16GB", "64GB", "512GB")
DEFAULTS = {"shared_buffers": "128MB", "max_wal_size": "1GB", "work_mem": "4MB", "maintenance_work_mem": "64MB"}


def of(memory: str, connections: int = 100) -> dict[str, str]:
    return settings_of(memory_bytes=parse(memory), connections=connections)


@pytest.mark.parametrize("memory", SIZES)
def test_what_it_takes_at_once_fits_into_its_memory(memory: str) -> None:
    found = of(memory)
    assert parse(found["shared_buffers"]) + parse(found["maintenance_work_mem"]) <= parse(memory) * 0.6
    assert parse(found["shared_buffers"]) < parse(found["effective_cache_size"])
    assert parse(found["min_wal_size"]) < parse(found["max_wal_size"])


def test_more_memory_is_never_less_of_anything() -> None:
    for name in DEFAULTS:
        amounts = [parse(of(memory)[name]) for memory in SIZES]
        assert amounts == sorted(amounts), name


@pytest.mark.parametrize("memory", ["512MB", "2GB", "16GB"])
def test_nothing_is_less_than_postgresqls_own_default(memory: str) -> None:
    found = of(memory)
    assert {name: found[name] for name in DEFAULTS if parse(found[name]) < parse(DEFAULTS[name])} == {}


@pytest.mark.parametrize("memory", SIZES)
def test_a_commit_promises_what_it_did(memory: str) -> None:
    assert {"fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "commit_delay"} & of(
        memory
    ).keys() == set()


def test_sixteen_gigabytes_are_used() -> None:
    found = of("16GB", connections=200)
    assert (found["shared_buffers"], found["effective_cache_size"], found["max_wal_size"]) == ("4GB", "12GB", "4GB")
    assert (found["work_mem"], found["max_connections"]) == ("20MB", "200")


def test_its_log_leaves_a_small_disk_its_room() -> None:
    logs = {}
    for disk in ("5GB", "100GB", "2TB"):
        found = settings_of(memory_bytes=parse("64GB"), connections=100, disk_bytes=parse(disk))
        logs[disk] = found["max_wal_size"], found["min_wal_size"]
    assert logs == {"5GB": ("1GB", "256MB"), "100GB": ("10GB", "2560MB"), "2TB": ("16GB", "4GB")}


def test_there_is_a_connection_for_every_thread_of_all_programs_and_some_to_spare() -> None:
    assert connections_of(web_processes=1, web_threads=4) == 100
    assert (
        connections_of(web_processes=10, web_threads=16) == 220
    )  # 180 of web, 14 of worker and deliveries, 20, in tens
    assert connections_of(web_processes=20, web_threads=16, workers=3) == 430


def test_a_file_and_arguments_say_the_same() -> None:
    found = {"shared_buffers": "4GB", "max_connections": "200"}
    assert as_file(found) == "shared_buffers = '4GB'\nmax_connections = '200'\n"
    assert as_arguments(found) == "-c shared_buffers=4GB -c max_connections=200"
