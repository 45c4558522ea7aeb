"""A run adds the batches that it claimed, whole, and nothing else."""

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apikeys.models import APIKey
from billing.prices import rating
from metering.cluster.state import is_distributed
from metering.models import HourlyUsage, IngestBatch, UsageEvent
from metering.rollups.run import is_claimed
from tests.engine import make_event, send

IDS = st.sets(st.integers(1, 40) | st.integers(1_000_000, 1_000_040), min_size=1)


class Claimed(TestCase):
    @given(batches=IDS)
    def test_the_condition_on_batches_holds_for_those_that_were_claimed_alone(self, batches: set[int]) -> None:
        condition, named = is_claimed(sorted(batches))
        assert len(named) <= 2 * len(batches)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT batch_id FROM unnest(%(all)s::bigint[]) AS batch_id"
                f" WHERE batch_id BETWEEN %(first)s AND %(last)s AND {condition}",
                {
                    "all": [*range(1, 41), *range(1_000_000, 1_000_041)],
                    "first": min(batches),
                    "last": max(batches),
                    "named": named,
                },
            )
            assert {batch_id for (batch_id,) in cursor.fetchall()} == batches


@pytest.mark.django_db
def test_a_batch_of_which_a_node_does_not_show_all_events_yet_waits_and_holds_up_nobody(
    token: str, key: APIKey
) -> None:
    for name in ("whole", "late"):
        send([make_event(id=f"{name}-{n}", api_key_id=key.public_id) for n in range(3)], token)
    whole, late = IngestBatch.objects.order_by("pk").values_list("pk", flat=True)
    UsageEvent.objects.filter(batch_id=late).update(batch_id=late + 1_000)  # as if it could not be seen
    done = rating.roll_up_and_rate()
    if not is_distributed():
        assert done == 6  # one PostgreSQL shows a batch with all its events or not at all: nobody counts again
        return
    assert done == 3
    assert list(IngestBatch.objects.filter(rolled_up_at=None).values_list("pk", flat=True)) == [late]
    UsageEvent.objects.filter(batch_id=late + 1_000).update(batch_id=late)
    assert rating.roll_up_and_rate() == 3
    assert sum(row.num_model_requests for row in HourlyUsage.objects.all()) == 6
    assert whole < late
