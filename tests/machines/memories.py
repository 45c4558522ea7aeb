"""What the process remembers of the database is forgotten before each test, because the database forgets it as well."""

from collections.abc import Iterator

import pytest
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from accounts.models import RoutingVersion
from apikeys import directory, refusals
from apikeys.keys import last_use
from apikeys.strangers import strangers
from metering.attributions import memory, undeclared
from metering.intake import key_limits, skus
from metering.intake.back_pressure import pace
from metering.intake.received.tally import tally
from metering.rollups import partitions
from tests.database.undone import undone
from tests.fixtures import QUICK
from usage_dashboard.monitoring.timings import timings


def forget() -> None:
    """Forget all that the process remembers of the database."""
    directory.forget()
    key_limits.purses.forget()
    last_use.forget()
    strangers.forget()
    pace.forget()
    partitions.forget()
    refusals.allowances.forget()
    skus.forget()
    tally.forget()
    memory.forget()
    undeclared.forget()
    timings.forget()


@pytest.fixture(autouse=True)
def fresh_memories(request: pytest.FixtureRequest) -> None:
    """Nothing is remembered, and the one row of RoutingVersion is there, which a flush after an earlier test has deleted."""
    forget()
    if request.node.get_closest_marker("django_db") or {"db", "live_server"} & set(request.fixturenames):
        request.getfixturevalue("db")
        RoutingVersion.objects.get_or_create(id=1)


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What other fixtures of a module make with it is there for all of its tests, which ask for `db` to take back their own.

    It is taken back when the module ends, so no test of it may commit.
    """
    forget()
    with django_db_blocker.unblock(), override_settings(**QUICK), undone():
        RoutingVersion.objects.get_or_create(id=1)
        yield
