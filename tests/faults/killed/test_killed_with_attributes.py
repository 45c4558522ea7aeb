"""Usage that says what it is for, while processes die: dictionaries hold each value once, and every breakdown adds up."""

from collections import Counter
from collections.abc import Callable

import pytest

from accounts.models import Attribute, User
from metering.attribution_models import AttributeValueMonth, Attribution, AttributionPart
from tests.faults.harness import Stack
from tests.faults.load import Events
from tests.faults.proof import Scenario
from tests.usage.what_for import declare, requests_by

pytestmark = pytest.mark.faults
NUM_CUSTOMERS = 400
NUM_TEAMS = 7


def team(number: int) -> str:
    return f"Team {number % NUM_TEAMS}"


def customer(number: int) -> str:
    return f"Customer {number * 31 % NUM_CUSTOMERS}"


class EventsForSomething(Events):
    """The same events, each for a team and a customer. Every batch of some hundreds brings nearly all customers, so that
    processes learn the same ones at once."""

    def event(self, number: int) -> str:
        attributes = f'{{"team":"{team(number)}","end_customer":"{customer(number)}"}}'
        return f'{super().event(number)[:-1]},"attributes":{attributes}}}'


def test_attributes_are_learnt_and_added_up_once_whatever_dies(
    stack: Stack, scenario: Scenario, num_events: int
) -> None:
    load = scenario.load
    load.events = EventsForSomething(load.events.name, load.events.key_ids)
    organization = User.objects.get(pk=scenario.user_id).default_organization
    assert organization is not None
    teams, customers = declare(organization, "team", "end_customer")
    stack.pause("worker")
    with load.sending(num_events, clients=8, batch_size=400, at_least_seconds=3):
        load.wait_for(0.02)
        stack.kill_one_of("web")  # which may be idle just then
        load.wait_for(0.4)
        stack.kill("web")
        stack.start("web")
        load.wait_for(0.8)
        stack.resume("worker")
        stack.wait_for_a_rollup()
        stack.kill("worker")
    stack.wait_for_no_rollup()
    assert stack.num_waiting() > 0
    stack.start("worker")
    assert load.ledger.troubles, "no request was under way"
    scenario.require_exactly_once()
    of: list[tuple[Attribute, Callable[[int], str]]] = [(teams, team), (customers, customer)]
    for attribute, value_of in of:
        expected = Counter(map(value_of, load.ledger.acknowledged))
        assert requests_by(attribute, organization) == expected
        assert AttributeValueMonth.objects.filter(attribute_id=attribute.pk).count() == len(expected)
    combinations = {(team(number), customer(number)) for number in load.ledger.acknowledged}
    learnt = Attribution.objects.filter(organization_id=organization.pk)
    assert learnt.count() == len(combinations)
    assert AttributionPart.objects.filter(attribution_id__in=learnt.values("pk")).count() == 2 * len(combinations)
