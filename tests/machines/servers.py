"""The servers of one test session: the embedded PostgreSQL and Valkey under a temporary DATA_DIR, started at first need.

Loaded by `tests/conftest.py` before anything that reads Django's settings, because those follow from DATA_DIR. With
DATABASE_URL or REDIS_URL set, that server is used and not started.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import django
import pytest
from django.conf import settings

from usage_dashboard.machine.servers import start_postgres, start_redis
from usage_dashboard.machine.tuning.postgresql import LEAST_CONNECTIONS, settings_of

if settings.configured and not os.environ.get("DATABASE_URL"):
    raise pytest.UsageError("Django's settings were read before the tests could choose a DATA_DIR of their own.")

_temporary = tempfile.TemporaryDirectory(prefix="usage-dashboard-tests-")
DATA_DIR = Path(_temporary.name).resolve()
(DATA_DIR / "staticfiles").mkdir()
os.environ["DATA_DIR"] = str(DATA_DIR)
os.environ["DJANGO_SETTINGS_MODULE"] = "usage_dashboard.settings"
os.environ.pop("DEMO", None)
os.environ["POSTGRES_MEMORY"] = "1GB"  # of each of several sessions
django.setup()
# Static files are served as they lie in the source: for the whole session, because a page that a browser still asks for after its
# test would keep what is true between two tests.
settings.STATIC_ROOT = DATA_DIR / "staticfiles"
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each of several processes has a DATA_DIR and servers of its own: it must not inherit those of the first."""
    for name in ("DATA_DIR", "DJANGO_SETTINGS_MODULE"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[None]:
    """PostgreSQL is running while this fixture is in use. It waits for no disk: what it holds ends with the session anyway."""
    own = settings_of(memory_bytes=settings.POSTGRES_MEMORY, connections=LEAST_CONNECTIONS)
    with ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            stack.callback(start_postgres(DATA_DIR, own={**own, "fsync": "off"}).stop)
        yield


@pytest.fixture(scope="session")
def redis_server() -> Iterator[None]:
    """The Redis-compatible server at `settings.REDIS_URL` is running while this fixture is in use."""
    with ExitStack() as stack:
        if not os.environ.get("REDIS_URL"):
            stack.callback(start_redis(DATA_DIR).stop)
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest, postgres: None) -> None:
    """pytest-django's hook before it makes the test database. On one server each of several processes has its own."""
    if os.environ.get("DATABASE_URL"):
        request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory in which servers of another account can run.

    pytest's own does not do: each session of root that starts closes what is above it to everybody else.
    """
    with tempfile.TemporaryDirectory(prefix="usage-dashboard-tests-", ignore_cleanup_errors=True) as directory:
        yield Path(directory).resolve()


def pytest_unconfigure() -> None:
    _temporary.cleanup()
