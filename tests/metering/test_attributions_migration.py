"""What an installation has stored before usage said what it is for is of no project and has no attributes, and goes on so."""

import pytest

from metering.attributions import memory
from metering.intake import skus
from metering.models import AttributedDailyUsage, UsageEvent
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.machines.upgrades import drifts, stored, through
from tests.usage.what_for import declare, make_project, requests_by
from tests.world import World

pytestmark = pytest.mark.django_db
BEFORE = [("billing", "0011_quick_webhooks"), ("metering", "0008_service_tier_words_and_units")]


def test_stored_usage_is_the_same_after_the_upgrade_and_new_usage_is_for_something(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    old = [make_event(id=f"old-{n}", api_key_id=key, output_tokens=n) for n in range(1, 4)]
    assert send(old[:2], token) == ["accepted"] * 2
    roll_up()
    assert send(old[2], token) == ["accepted"]  # waits over the upgrade
    before = stored()
    through(BEFORE)
    memory.forget()
    skus.forget()
    assert stored() == before
    assert set(UsageEvent.objects.values_list("attribution_id", flat=True)) == {0}
    assert send(old, token) == ["duplicate"] * 3
    (team,) = declare(world.acme, "team")
    project = make_project(world.acme)
    said = {"project": project.public_id, "attributes": {"team": "red"}}
    assert send(make_event(id="new", api_key_id=key, **said), token) == ["accepted"]
    assert roll_up() == 2
    assert requests_by(team, world.acme) == {"red": 1}
    assert requests_by(None, world.acme) == {project.name: 1}
    assert AttributedDailyUsage.objects.get().num_model_requests == 1
    assert drifts() == {0}
