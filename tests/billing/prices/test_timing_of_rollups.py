"""What usage costs follows from the usage and the prices, not from when it was rolled up, whatever is corrected in between."""

from decimal import Decimal
from itertools import pairwise

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import open_as_member
from accounts.periods import month_of
from billing.cost.queries import spending
from billing.models import DailyCost, LineItem
from metering.usage.groupings import USER
from metering.usage.queries import UsageQuery
from tests.database.undone import undone
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.machines.memories import forget
from tests.money import set_price
from tests.world import World

PRICE = Decimal("0.0000025")
# Of whom an event is (0 or 1), how many tokens it has, and how much of them is corrected: none, a part, all.
EVENTS = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.integers(min_value=1, max_value=10**6), st.sampled_from((0, 1, 2))),
    min_size=1,
    max_size=6,
)


def costs_by_user(world: World) -> dict[int, Decimal]:
    access = open_as_member(world.alice, "acme")
    ids = tuple(found.id for found in access.organizations)
    found = spending(UsageQuery(organization_ids=ids, period=month_of(days_ago(1).date()), group=USER))
    return {row.part: row.amount for row in found.parts if row.part is not None and row.amount}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(events=EVENTS, data=st.data())
@pytest.mark.django_db
def test_costs_are_the_same_however_events_are_rolled_up(
    world: World, events: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    forget()  # what the example before this one left, and the database has not
    with undone():
        token, people = make_token(), (world.rita, world.bob)
        keys = [make_key(user) for user in people]
        set_price("house-model", f"{PRICE:f}")
        reports, expected = [], dict.fromkeys((user.pk for user in people), Decimal(0))
        for number, (whose, tokens, corrected) in enumerate(events):
            event = {"model": "house-model", "api_key_id": keys[whose].public_id, "output_tokens": None}
            taken = tokens * corrected // 2
            reports.append(make_event(id=f"e-{number}", input_tokens=tokens, **event))
            if taken:
                change = {"input_tokens": -taken, "num_model_requests": 0, "corrects": f"e-{number}"}
                reports.append(make_event(id=f"c-{number}", **change, **event))
            expected[people[whose].pk] += (tokens - taken) * PRICE
        cuts = sorted(data.draw(st.sets(st.integers(min_value=1, max_value=len(reports)))) | {0, len(reports)})
        for start, end in pairwise(cuts):
            assert send(reports[start:end], token) == ["accepted"] * (end - start)
            roll_up()
        assert costs_by_user(world) == {user: amount for user, amount in expected.items() if amount}
        stored = DailyCost.objects.filter(line_item=LineItem.INPUT).aggregate(total=Sum("amount"))
        assert (stored["total"] or 0) == sum(expected.values())


@pytest.mark.django_db
def test_one_person_cannot_take_away_what_another_used(world: World) -> None:
    token, key, other = make_token(), make_key(world.rita), make_key(world.bob)
    set_price("house-model", f"{PRICE:f}")
    event = {"model": "house-model", "output_tokens": None}
    correction = {"id": "c", "corrects": "e", "input_tokens": -1_000_000, "num_model_requests": 0}
    sent = [
        make_event(id="e", input_tokens=1_000_000, api_key_id=key.public_id, **event),
        make_event(**correction, api_key_id=other.public_id, **event),
    ]
    assert send(sent, token) == ["accepted", "corrects_other_key"]
    roll_up()
    assert costs_by_user(world) == {world.rita.pk: Decimal("2.50")}
