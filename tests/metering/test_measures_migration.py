"""What an installation has stored before events said more keeps its numbers, its costs and its identity."""

import pytest

from metering.intake import skus
from metering.models import DailyUsage
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.machines.upgrades import NEW_MEASURES, drifts, stored, through
from tests.world import World

pytestmark = pytest.mark.django_db
BEFORE = [("billing", "0011_quick_webhooks"), ("metering", "0009_projects_and_attributes")]


def test_stored_usage_is_the_same_after_the_upgrade_and_goes_on(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    written = {"input_tokens": 900, "input_cache_write_tokens": 400, "output_tokens": 7}
    events = [
        make_event(id="plain", api_key_id=key),
        make_event(id="written", api_key_id=key, model="claude-haiku-4-5", **written),
        make_event(id="image", api_key_id=key, usage_type="images", model="gpt-image-1.5", images=1),
    ]
    assert send(events, token) == ["accepted"] * 3
    roll_up()
    before = stored()
    through(BEFORE)
    skus.forget()
    assert stored() == before
    assert {getattr(row, measure) for row in DailyUsage.objects.all() for measure in NEW_MEASURES} == {0}
    assert drifts() == {0}
    assert send(events, token) == ["duplicate"] * 3
    more = make_event(id="more", api_key_id=key, model="claude-haiku-4-5", **written, input_cache_write_long_tokens=300)
    assert send(more, token) == ["accepted"]
    roll_up()
    assert drifts() == {0}
