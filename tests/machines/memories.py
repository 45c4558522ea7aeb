"""What the process remembers of the database is forgotten before each test, because the database forgets it as well."""

import pytest

from accounts.models import RoutingVersion
from apikeys import directory, refusals
from apikeys.keys import last_use
from apikeys.strangers import strangers
from metering.attributions import memory, undeclared
from metering.intake import key_limits, skus
from metering.intake.back_pressure import pace
from metering.intake.received.tally import tally
from metering.rollups import partitions
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
