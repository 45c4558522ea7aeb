"""Whatever comes in, the parts of every breakdown by project or attribute add up to all usage, in hours, days and months."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Model, Sum
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import Attribute
from metering.attribution_models import ALL, AttributeValueMonth, Attribution
from metering.models import (
    AttributedDailyUsage,
    AttributedHourlyUsage,
    AttributedMonthlyTotal,
    MonthlyUsage,
    OrganizationDailyUsage,
    OrganizationHourlyUsage,
    UsageEvent,
    ValueDailyUsage,
    ValueHourlyUsage,
    ValueMonthlyTotal,
    ValueMonthlyUsage,
)
from tests.database.undone import undone
from tests.engine import days_ago, make_key, make_token, roll_up, send
from tests.machines import memories
from tests.usage.what_for import carry, declare, make_project, withdraw
from tests.world import World

pytestmark = pytest.mark.django_db
BOUND = 3
NOTHING = -2
"""In the place of a value: what has none."""
Keyed = dict[tuple[Any, ...], tuple[int, int]]
VALUES = st.sampled_from([None, "", "A", "B", "C", "D", "E"])


@contextmanager
def forgotten() -> Iterator[None]:
    """What is done in the block is taken back, with all that the process remembers of it."""
    memories.forget()
    with undone():
        yield
    memories.forget()


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event around two midnights, one of them a month's; ids repeat, so that some are sent again or in conflict."""
    names = draw(st.sets(st.sampled_from(["team", "feature", "undeclared"])))
    return {
        "number": draw(st.integers(0, 40)),
        "key": draw(st.integers(0, 2)),
        "hours": draw(st.sampled_from([0.0, 0.5, 1.0, 23.9, 24.0, 36.5, 48.0])),
        "project": draw(st.sampled_from([None, "search", "default", "foreign"])),
        "attributes": {name: draw(VALUES) for name in names},
        "input_tokens": draw(st.integers(0, 1_000)),
        "is_corrected": draw(st.booleans()),
    }


STEPS = st.one_of(
    st.lists(events(), min_size=1, max_size=12),
    st.sampled_from(["roll up", "restart", "withdraw or declare"]),
)


class Story:
    """Acme with a project and attributes, two keys that carry something and one that does not, and what they send."""

    def __init__(self, world: World) -> None:
        self.world, self.token = world, make_token()
        declare(world.acme, "team", "feature")
        search, foreign = make_project(world.acme), make_project(world.other)
        default = world.acme.projects.get(is_default=True)
        self.projects = {None: None, "search": search.public_id, "default": default.public_id}
        self.projects["foreign"] = foreign.public_id
        self.keys = [make_key(world.rita, f"Key {number}") for number in range(3)]
        self.start: datetime = days_ago(0, hour=0).replace(day=1) - timedelta(days=1)
        carry(self.keys[1], world.acme, since=days_ago(900), project=search, team="A", feature="B")
        carry(self.keys[2], world.acme, since=self.start + timedelta(hours=24), team="B")

    def take(self, step: list[dict[str, Any]] | str) -> None:
        if step == "roll up":
            roll_up()
        elif step == "restart":
            memories.forget()
        elif step == "withdraw or declare":
            feature = Attribute.objects.get(organization=self.world.acme, name="feature")
            withdraw(feature) if feature.withdrawn_at is None else declare(self.world.acme, "feature")
        else:
            self._send([body for event in step if isinstance(event, dict) for body in self._bodies(event)])

    def _bodies(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """The event, and its reversal if it is corrected."""
        body = {
            "id": f"event-{event['number']}",
            "timestamp": self.start + timedelta(hours=event["hours"]),
            "usage_type": "completions",
            "model": "gpt-4o",
            "api_key_id": self.keys[event["key"]].public_id,
            "input_tokens": event["input_tokens"],
            "project": self.projects[event["project"]],
            "attributes": event["attributes"],
        }
        reversal = {"id": f"fix-{body['id']}", "corrects": body["id"], "num_model_requests": -1}
        return [body, body | reversal | {"input_tokens": -event["input_tokens"]}] if event["is_corrected"] else [body]

    def _send(self, bodies: list[dict[str, Any]]) -> None:
        for body, outcome in zip(bodies, send(bodies, self.token), strict=True):
            is_refused = body["project"] == self.projects["foreign"] and "corrects" not in body
            assert (outcome == "unknown_project") == is_refused
            assert outcome not in ("invalid_attribute", "unknown_field")


def stored(rows: type[Model], *key: str) -> Keyed:
    """Requests and input tokens of the rows, by these columns; what adds up to nothing is left out."""
    sums = rows._default_manager.values_list(*key).annotate(Sum("num_model_requests"), Sum("input_tokens"))
    return _something({tuple(row): (int(requests or 0), int(tokens or 0)) for *row, requests, tokens in sums})


def expected(moment: Callable[[datetime], Any]) -> tuple[Keyed, Keyed]:
    """(by organization, moment, attribution; by organization, attribute, moment, value) of the stored events, in Python."""
    parts = dict(Attribution.objects.values_list("id", "parts"))
    by_attribution: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    by_value: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    rows = UsageEvent.objects.exclude(attribution_id=0)
    for organization_id, at, attribution_id, *measures in rows.values_list(
        "organization_id", "occurred_at", "attribution_id", "num_model_requests", "input_tokens"
    ):
        pairs = zip(parts[attribution_id][::2], parts[attribution_id][1::2], strict=True)
        sums = [by_attribution[organization_id, moment(at), attribution_id]]
        for attribute_id, value_id in pairs:
            sums += [by_value[organization_id, attribute_id, moment(at), part] for part in (value_id, ALL)]
        for total in sums:
            for place, measure in enumerate(measures):
                total[place] += measure or 0
    return _something(by_attribution), _something(by_value)


def _something(sums: Any) -> Keyed:
    return {key: tuple(values) for key, values in sums.items() if any(values)}


@given_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_the_values_of_each_attribute_and_none_are_all_usage(
    world: World, settings: Settings, steps: list[list[dict[str, Any]] | str]
) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = BOUND
    settings.NEW_ATTRIBUTIONS_PER_MONTH = 12
    settings.ROLL_UP_MAX_EVENTS = 10  # so that what waits takes several runs
    with forgotten():
        story = Story(world)
        for step in steps:
            story.take(step)
        roll_up()
        grains = (
            (lambda at: at.replace(minute=0, second=0, microsecond=0), "hour", ValueHourlyUsage),
            (lambda at: at.date(), "day", ValueDailyUsage),
            (lambda at: at.date().replace(day=1), "month", ValueMonthlyUsage),
            (lambda at: at.date().replace(day=1), "month", ValueMonthlyTotal),
        )
        attributed = {"hour": AttributedHourlyUsage, "day": AttributedDailyUsage, "month": AttributedMonthlyTotal}
        totals = {"hour": OrganizationHourlyUsage, "day": OrganizationDailyUsage, "month": MonthlyUsage}
        for moment, name, rows in grains:
            by_attribution, by_value = expected(moment)
            assert stored(rows, "organization_id", "attribute_id", name, "value_id") == by_value
            assert stored(attributed[name], "organization_id", name, "attribution_id") == by_attribution
            all_usage = stored(totals[name], "organization_id", name)
            num_requests = UsageEvent.objects.aggregate(total=Sum("num_model_requests"))["total"] or 0
            assert sum(requests for requests, _ in all_usage.values()) == num_requests
            told_apart: dict[tuple[Any, ...], int] = defaultdict(int)
            for (organization_id, attribute_id, when, value_id), (requests, _) in by_value.items():
                if value_id != ALL:
                    told_apart[organization_id, attribute_id, when] += requests
            for (organization_id, _, when), requests in told_apart.items():
                assert requests <= all_usage.get((organization_id, when), (0, 0))[0]
        assert all(
            AttributeValueMonth.objects.filter(attribute_id=attribute_id).count() <= BOUND
            for attribute_id in Attribute.objects.values_list("id", flat=True)
        )
