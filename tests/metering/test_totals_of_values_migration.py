"""What was stored before all values of an attribute were added up has these sums after the upgrade, and new usage is added."""

import pytest
from django.db import connection

from accounts.periods import month_of
from metering.attribution_models import ALL
from metering.attributions import memory
from metering.intake import skus
from metering.models import ValueDailyUsage, ValueMonthlyTotal
from metering.rollups.proof import prove_month
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.machines.upgrades import drifts, through
from tests.usage.rollup_proof import everything
from tests.usage.what_for import declare, make_project, requests_by
from tests.world import World

pytestmark = pytest.mark.django_db
BEFORE = [("metering", "0013_sums_of_64_bits")]


def test_sums_of_stored_values_are_made_by_the_upgrade_and_go_on_after_it(world: World) -> None:
    (team,) = declare(world.acme, "team")
    project = make_project(world.acme)
    token, key = make_token(), make_key(world.rita).public_id
    events = [
        make_event(
            id=f"event-{n}",
            api_key_id=key,
            timestamp=days_ago(1, hour=n),
            model=f"model-{n % 2}",
            project=project.public_id if n < 3 else None,
            attributes={"team": ["red", "green"][n % 2]} if n < 5 else {},
        )
        for n in range(6)
    ]
    assert send(events, token) == ["accepted"] * 6
    roll_up()
    before = everything()
    through(BEFORE)
    memory.forget()
    skus.forget()
    assert everything() == before
    assert ValueDailyUsage.objects.filter(attribute_id=team.pk, value_id=ALL).count() == 2  # a row for each model
    assert send(make_event(id="new", api_key_id=key, attributes={"team": "red"}), token) == ["accepted"]
    assert roll_up() == 1
    assert requests_by(team, world.acme) == {"red": 4, "green": 2}
    assert requests_by(None, world.acme) == {project.name: 3}
    totals = ValueMonthlyTotal.objects.filter(attribute_id=team.pk).values_list("value_id", "num_model_requests")
    assert dict(totals)[ALL] == 6 == sum(number for _, number in totals) / 2
    assert drifts() == {0}
    with connection.cursor() as cursor:
        months = list(prove_month(cursor, month_of(days_ago(1).date())))
    assert {drift.num_different for drift in months} == {0}
