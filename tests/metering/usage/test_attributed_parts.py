"""By project and attribute every breakdown adds up to the total, whatever is filtered, with none and Other values in it."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Project
from accounts.periods import month_of, one_day
from accounts.projects import projects
from billing.cost import bounds_sql, leaders
from billing.cost import queries as costs
from billing.cost.leaders import all_parts, leading_parts
from metering.attribution_models import OTHER, AttributeValue
from metering.models import IngestBatch, Model, UsageEvent
from metering.usage.declared import Declared, declared_in
from metering.usage.groupings import API_KEY, MODEL, NONE, PROJECT, UNTRACKED, USER, Grouping
from metering.usage.queries import Rank, Step, UsageQuery, ValueFilter
from metering.usage.rankings import ids_named, ranking_page, top_lists
from metering.usage.sources import has_totals
from metering.usage.sums import activity_of, tells_top
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.usage.attributions import OTHER_VALUES, attribution_of, declare
from tests.world import World, join, make_user

NUM_EVENTS = 300
NUM_QUERIES = 90
UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)
TEAMS = ("red", "green", "blue", *(f"team {n}" for n in range(9)), OTHER_VALUES, None)
STAGES = ("live", "test", None)
HOUR = 13


@dataclass(frozen=True)
class Used:
    """An event as the tables have it, with its parts."""

    at: datetime
    organization: int
    requests: int
    cost: Decimal
    parts: dict[str, int]


@pytest.fixture
def used(world: World) -> list[Used]:
    """Usage of yesterday in Acme, which declares team, and in Labs, which declares team and stage; some of it in two runs."""
    rng = random.Random(5)
    people = [make_user(f"u{n}@acme.test", name=f"U {n}", role="reader", organization=world.acme) for n in range(3)]
    for user in people:
        join(user, world.labs, role="reader")
    keys = [make_key(user, created_at=since) for user in people for since in (UNTRACKED_SINCE, days_ago(400))]
    declare(world.acme, "team", "Team")
    declare(world.labs, "team", "Squad")
    declare(world.labs, "stage", "Stage")
    made = [
        projects.make_project(organization=org, name=name) for org in (world.acme, world.labs) for name in ("A", "B")
    ]
    events = [_event(rng, n, keys, world) for n in range(NUM_EVENTS)]
    token = make_token()
    for start in (0, 200):
        assert set(send(events[start : start + 200], token)) == {"accepted"}
        waiting = IngestBatch.objects.filter(rolled_up_at__isnull=True).values("id")
        for event in UsageEvent.objects.filter(batch_id__in=waiting):
            here = world.acme if event.organization_id == world.acme.pk else world.labs
            found = attribution_of(
                here, rng.choice([None, *(p for p in made if p.organization == here)]), _values(rng, here == world.labs)
            )
            UsageEvent.objects.filter(event_id=event.event_id).update(attribution_id=found)
        roll_up()
    return _stored(world)


def _values(rng: random.Random, with_stage: bool) -> dict[str, str]:
    chosen = {"team": rng.choice(TEAMS), "stage": rng.choice(STAGES) if with_stage else None}
    return {name: text for name, text in chosen.items() if text is not None}


def _event(rng: random.Random, number: int, keys: list[Any], world: World) -> dict[str, Any]:
    named = {"organization": world.labs.public_id} if rng.random() < 0.4 else {}
    return make_event(
        id=f"event-{number}",
        api_key_id=rng.choice(keys).public_id,
        timestamp=days_ago(1, hour=rng.choice([rng.uniform(0, 23.9), HOUR + 0.5])),
        model=rng.choice(["gpt-4o", "gpt-4o-mini", "nobody-knows"]),
        num_model_requests=rng.randint(1, 9),
        input_tokens=rng.randrange(10**6),
        output_tokens=None,
        **named,
    )


def _stored(world: World) -> list[Used]:
    """All events, told apart by SQL over raw rows alone."""
    own = {found.organization_id: found.pk for found in Project.objects.filter(is_default=True)}
    sql = """
        SELECT occurred_at, event.organization_id, user_id, CASE WHEN routing & 6 = 6 THEN api_key_id ELSE 0 END, sku.model_id,
            num_model_requests, coalesce(input_tokens * price.unit_price, 0),
            (SELECT value_id FROM metering_attributionpart part
             WHERE part.attribution_id = event.attribution_id AND part.attribute_id = 0),
            (SELECT jsonb_object_agg(name, value_id) FROM metering_attributionpart part
             JOIN accounts_attribute attribute ON attribute.id = part.attribute_id
             WHERE part.attribution_id = event.attribution_id)
        FROM (SELECT * FROM metering_usageevent OFFSET 0) event JOIN metering_sku sku ON sku.id = event.sku_id
        LEFT JOIN billing_dailycost price ON price.organization_id = event.organization_id AND price.sku_id = event.sku_id
            AND price.day = (occurred_at AT TIME ZONE 'UTC')::date AND price.line_item = 1
    """
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
    found = []
    for at, organization, user, key, model, requests, cost, project, values in rows:
        named = json.loads(values) if isinstance(values, str) else (values or {})
        parts = {"user": user, "api_key": key, "model": model, "project": project or own[organization]}
        parts |= {"attribute:team": named.get("team", NONE), "attribute:stage": named.get("stage", NONE)}
        found.append(Used(at, organization, requests, cost, parts))
    assert {event.parts["attribute:team"] for event in found} >= {NONE, OTHER}
    return found


def declared(world: World) -> Declared:
    return declared_in((world.acme, world.labs))


def groups(world: World) -> tuple[Grouping, ...]:
    return (PROJECT, *declared(world).attributes, MODEL, USER, API_KEY)


def filters(world: World, used: list[Used]) -> list[dict[str, Any]]:
    team, stage = declared(world).attributes
    red, green = (AttributeValue.objects.get(value=text).pk for text in ("red", "green"))
    a, default = Project.objects.filter(name="A").first(), Project.objects.filter(is_default=True).first()
    assert a is not None
    assert default is not None
    user = used[0].parts["user"]
    key = next(event.parts["api_key"] for event in used if event.parts["api_key"] != UNTRACKED)
    of_red, of_none = ValueFilter(team, (red,)), ValueFilter(team, (NONE, OTHER), with_nothing=True)
    of_a, of_default = ValueFilter(PROJECT, (a.pk,)), ValueFilter(PROJECT, (default.pk, a.pk), with_nothing=True)
    return [
        {},
        {"values": (of_red,)},
        {"values": (of_none,)},
        {"values": (of_a,)},
        {"values": (of_default,)},
        {"values": (of_default, ValueFilter(team, (red, green)))},
        {"values": (of_a, of_none)},
        {"values": (of_red, ValueFilter(stage, (NONE,), with_nothing=True))},
        {"user_ids": (user,)},
        {"user_ids": (user,), "values": (of_none,)},
        {"api_key_ids": (key,), "values": (of_red,)},
        {"api_key_ids": (UNTRACKED,), "values": (of_default,)},
        {"api_key_ids": (UNTRACKED, key)},
        {"model_ids": (Model.objects.get(name="gpt-4o").pk,), "values": (of_none,)},
    ]


def queries(world: World, used: list[Used]) -> list[UsageQuery]:
    """Some of all queries; each run of the tests takes the same ones."""
    return random.Random(9).sample(list(every_query(world, used)), k=NUM_QUERIES)


def every_query(world: World, used: list[Used]) -> Iterable[UsageQuery]:
    """Every grouping of the month, of the day and of an hour, of one organization and of two, under each kind of filter."""
    day = days_ago(1).date()
    for organizations in ((world.acme.pk,), (world.acme.pk, world.labs.pk)):
        for group in groups(world):
            for narrowed in filters(world, used):
                yield UsageQuery(organizations, month_of(day), group=group, **narrowed)
                yield UsageQuery(organizations, one_day(day), group=group, step=Step.HOUR, **narrowed)
                yield UsageQuery(organizations, one_day(day), group=group, step=Step.MINUTE, hour=HOUR, **narrowed)


def meant(query: UsageQuery, used: list[Used]) -> list[Used]:
    def fits(event: Used) -> bool:
        named = {"user": query.user_ids, "api_key": query.api_key_ids, "model": query.model_ids}
        named |= {found.dimension.word: found.value_ids for found in query.values}
        return (
            event.organization in query.organization_ids
            and query.start_at <= event.at < query.end_at
            and all(not ids or event.parts[word] in ids for word, ids in named.items())
        )

    return [event for event in used if fits(event)]


def slot_of(query: UsageQuery, at: datetime) -> date | datetime:
    if query.step == Step.DAY:
        return at.date()
    minute = at.replace(second=0, microsecond=0)
    return minute.replace(minute=0) if query.step == Step.HOUR else minute


def by_part(query: UsageQuery, events: list[Used], quantity: str) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for event in events:
        sums[event.parts[query.group.word]] += getattr(event, quantity)
    return {part: amount for part, amount in sums.items() if amount}


def bars(query: UsageQuery, events: list[Used], quantity: str, leaders: set[int]) -> dict[Any, Decimal]:
    """(bar, part) → amount; what is no leader has no part."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for event in events:
        part = event.parts[query.group.word]
        sums[slot_of(query, event.at), part if part in leaders else None] += getattr(event, quantity)
    return {bar: amount for bar, amount in sums.items() if amount}


def test_activity(world: World, used: list[Used]) -> None:
    for query in queries(world, used):
        events = meant(query, used)
        found = activity_of(query)
        leaders = {row.part for row in found.rows if row.part is not None}
        shown = {(row.slot, row.part): row.quantities["requests"] for row in found.rows if row.quantities["requests"]}
        assert shown == bars(query, events, "requests", leaders), query
        assert found.num_parts["requests"] == len(by_part(query, events, "requests")), query
        assert found.total("requests") == sum(event.requests for event in events), query


def test_cost(world: World, used: list[Used]) -> None:
    for query in queries(world, used):
        events = meant(query, used)
        found = costs.spending(query)
        leaders = {row.part for row in found.slots if row.part is not None}
        shown = {(row.slot, row.part): row.amount for row in found.slots if row.amount}
        assert shown == bars(query, events, "cost", leaders), query
        amounts: dict[int | None, Decimal] = defaultdict(Decimal)
        for row in found.parts:
            amounts[row.part] += row.amount
        assert {part: amount for part, amount in amounts.items() if amount} == by_part(query, events, "cost"), query
        assert found.amount == sum(event.cost for event in events), query


@pytest.mark.parametrize(("first", "bounded"), [(1, 1_000), (1, 3), (3, 3)])
def test_the_dearest_parts_are_those_of_all(
    world: World, used: list[Used], monkeypatch: pytest.MonkeyPatch, first: int, bounded: int
) -> None:
    """However few are read at first, and however many bounds are known."""
    monkeypatch.setattr(leaders, "FIRST", first)
    monkeypatch.setattr(bounds_sql, "BOUNDED", bounded)
    of_values = [query for query in every_query(world, used) if has_totals(query)]
    assert len(of_values) > 8
    for query in of_values:
        parts = all_parts(query)
        for most in (1, 4, len(parts) + 1):
            found = leading_parts(query, most)
            assert (found.parts, found.num_parts) == (parts[:most], len(parts)), (query, most)
            values = [part for part in parts if query.group.is_value(part)]
            assert found.num_values == len(values), query
            assert set(found.beside) == (set(parts) - set(values) if values else set()), query


def test_lists(world: World, used: list[Used]) -> None:
    lists = (PROJECT, MODEL, *declared(world).attributes)
    for query in queries(world, used):
        events = meant(query, used)
        top = top_lists(query, Rank.REQUESTS, lists)
        for group in lists:
            of_group = UsageQuery(query.organization_ids, query.period, group=group)
            expected = by_part(of_group, events, "requests")
            largest = sorted(expected.items(), key=lambda item: (-item[1], item[0]))
            shown = [(row.id, Decimal(row.value)) for row in top if row.group == group]
            assert shown == largest[: len(shown)], (group, query)
            assert len(shown) == min(8, len(largest)), (group, query)
            page = ranking_page(query, group, Rank.REQUESTS, search="", page=1)
            assert [(row.id, Decimal(row.requests)) for row in page.rows] == largest, (group, query)


def test_what_ranks_the_values_makes_their_top_list_as_the_others_are_made(world: World, used: list[Used]) -> None:
    ranked = [query for query in every_query(world, used) if tells_top(query)]
    assert len(ranked) > 8
    for query in random.Random(7).sample(ranked, k=20):
        for rank in Rank:
            alone = tuple(row for row in top_lists(query, rank, [query.group]) if row.group == query.group)
            assert alone, query
            assert activity_of(query, top_by=rank).top == alone, (rank, query)


def test_usage_without_a_value_is_in_no_top_list_of_what_it_has_nothing_of(world: World) -> None:
    declare(world.acme, "team", "Team")
    key = make_key(world.alice).public_id
    stored = {"usage_type": "vector_stores", "num_model_requests": 0, "input_tokens": None, "usage_bytes": 10**9}
    events = [
        make_event(id="red", api_key_id=key, timestamp=days_ago(1), attributes={"team": "red"}),
        make_event(id="store", api_key_id=key, timestamp=days_ago(1), output_tokens=None, **stored),
    ]
    assert set(send(events, make_token())) == {"accepted"}
    roll_up()
    (group,) = declared_in([world.acme]).attributes
    query = UsageQuery((world.acme.pk,), month_of(days_ago(1).date()), group=group)
    found = activity_of(query, top_by=Rank.REQUESTS)
    assert found.num_parts["usage_bytes"] == 1
    assert [(row.value, row.list_size) for row in found.top] == [(1, 1)]
    assert found.top == tuple(row for row in top_lists(query, Rank.REQUESTS, [group]) if row.group == group)


def test_lists_of_a_month_narrowed_to_values_are_right_and_read_no_days_of_combinations(
    world: World, used: list[Used]
) -> None:
    """But where it is narrowed to models as well, which months by combination do not know."""
    lists = (PROJECT, *declared(world).attributes)
    narrowed = [
        query
        for query in every_query(world, used)
        if query.values and query.step == Step.DAY and query.group == MODEL and len(query.organization_ids) == 2
    ]
    assert len(narrowed) > 8
    for query in narrowed:
        with CaptureQueriesContext(connection) as asked:
            top = top_lists(query, Rank.REQUESTS, lists)
        assert ("metering_attributeddailyusage" in asked.captured_queries[0]["sql"]) == bool(query.model_ids), query
        for group in (USER, API_KEY, *lists):
            expected = by_part(replace(query, group=group), meant(query, used), "requests")
            shown = {row.id: Decimal(row.value) for row in top if row.group == group}
            assert len(shown) == min(8, len(expected)) or group == API_KEY, (group, query)
            assert shown.items() <= expected.items(), (group, query)


@pytest.mark.parametrize(
    ("search", "expected"),
    [("re", {"red", "green"}), ("NO SQ", set()), ("no te", {"No team"}), ("other v", {OTHER_VALUES})],
)
def test_a_list_of_values_is_searched_by_name(world: World, used: list[Used], search: str, expected: set[str]) -> None:
    team, _ = declared(world).attributes
    query = UsageQuery((world.acme.pk, world.labs.pk), month_of(days_ago(1).date()), group=team)
    page = ranking_page(query, team, Rank.REQUESTS, search=search, page=1)
    texts = {found.pk: found.value for found in AttributeValue.objects.all()} | {NONE: "No team", OTHER: OTHER_VALUES}
    assert {texts[row.id] for row in page.rows} == expected
    assert {texts[part] for part in ids_named(team, all_parts(query), search)} == expected
