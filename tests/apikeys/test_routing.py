"""Where an event counts: every row of product.md, section 2, as a pure function, and then through the real ingest."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import DefaultOrganizationChange, Membership, Organization
from accounts.organizations import organizations
from apikeys import directory
from apikeys.keys import keys
from apikeys.routing import ATTRIBUTED, KeyHistory, NotAMemberError, Route, earlier_homes, route
from metering.intake import skus
from metering.models import HourlyUsage, OrganizationDailyUsage, UsageEvent
from metering.rollups import partitions
from tests.database.undone import undone
from tests.engine import days_ago, home_of, make_event, make_key, make_token, num_events, roll_up, send
from tests.world import World, join

NAMED, DEFAULT, TRACKED = Route.NAMED, Route.DEFAULT, Route.TRACKED
ACME, LABS, OTHER = 1, 2, 3
INSTANT = timedelta(microseconds=1)


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


# The key's life: made on day 5, tracking switched on day 10 and off on day 20; the default organization is Acme, from
# day 15 Labs. The user is in Acme all the time, in Labs from day 12 on, and left Other on day 8.
TRACKING = ((day(5), False), (day(10), True), (day(20), False))
DEFAULTS = ((day(5), ACME), (day(15), LABS))
MEMBERSHIPS = ((ACME, day(1), None), (LABS, day(12), None), (OTHER, day(1), day(8)))


def history(
    tracking: tuple[tuple[datetime, bool], ...] = TRACKING,
    defaults: tuple[tuple[datetime, int], ...] = DEFAULTS,
    memberships: tuple[tuple[int, datetime, datetime | None], ...] = MEMBERSHIPS,
) -> KeyHistory:
    return KeyHistory(
        id=7,
        public_id="key_7",
        user_id=9,
        defaults=defaults,
        tracking=tracking,
        memberships=memberships,
        ended_at=None,
    )


@pytest.mark.parametrize(
    ("at", "named", "organization", "bits"),
    [
        # none named: the default organization at that time, attributed to the key if it was tracked then
        (day(1), None, ACME, DEFAULT),  # before the first state: the first state holds
        (day(7), None, ACME, DEFAULT),
        (day(10) - INSTANT, None, ACME, DEFAULT),
        (day(10), None, ACME, DEFAULT | TRACKED),  # from the very moment of the switch
        (day(12), None, ACME, DEFAULT | TRACKED),
        (day(15) - INSTANT, None, ACME, DEFAULT | TRACKED),
        (day(15), None, LABS, DEFAULT | TRACKED),
        (day(20) - INSTANT, None, LABS, DEFAULT | TRACKED),
        (day(20), None, LABS, DEFAULT),
        (day(28), None, LABS, DEFAULT),
        # the default organization named: the same, and the row can say that it was named
        (day(4), ACME, ACME, NAMED | DEFAULT),
        (day(7), ACME, ACME, NAMED | DEFAULT),
        (day(12), ACME, ACME, NAMED | DEFAULT | TRACKED),
        (day(16), LABS, LABS, NAMED | DEFAULT | TRACKED),
        (day(25), LABS, LABS, NAMED | DEFAULT),
        # another organization named: it counts there, and never under the key
        (day(12), LABS, LABS, NAMED | TRACKED),
        (day(16), ACME, ACME, NAMED | TRACKED),
        (day(25), ACME, ACME, NAMED),
        (day(7), OTHER, OTHER, NAMED),
        (day(1), OTHER, OTHER, NAMED),  # from the moment of joining
        (day(8) - INSTANT, OTHER, OTHER, NAMED),  # until the membership ended
    ],
)
def test_an_event_counts_where_its_own_time_says(
    at: datetime, named: int | None, organization: int, bits: Route
) -> None:
    assert route(history(), named=named, at=at) == (organization, bits)


@pytest.mark.parametrize(
    ("at", "named"),
    [
        (day(8), OTHER),  # the membership has ended at that very moment
        (day(20), OTHER),
        (day(1) - INSTANT, OTHER),  # not yet joined: memberships, unlike states, do not hold before their start
        (day(12) - INSTANT, LABS),
        (day(12), 4),  # never a member
        (day(12), 0),  # no such organization
    ],
)
def test_an_organization_of_which_the_user_was_no_member_is_refused(at: datetime, named: int) -> None:
    with pytest.raises(NotAMemberError):
        route(history(), named=named, at=at)


def test_a_user_without_any_organization_is_refused() -> None:
    for named in (None, ACME):
        with pytest.raises(NotAMemberError):
            route(history(defaults=(), memberships=()), named=named, at=day(12))


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("at", [day(1), day(5), day(28)])
def test_a_key_and_a_user_that_never_changed(tracked: bool, at: datetime) -> None:
    key = history(tracking=((day(5), tracked),), defaults=((day(5), ACME),))
    tracking = TRACKED if tracked else Route(0)
    assert route(key, named=None, at=at) == (ACME, DEFAULT | tracking)
    assert route(key, named=ACME, at=at) == (ACME, NAMED | DEFAULT | tracking)


def test_who_left_and_came_back_was_a_member_in_both_times_only() -> None:
    key = history(memberships=((OTHER, day(1), day(3)), (OTHER, day(6), None)))
    assert route(key, named=OTHER, at=day(2))[0] == OTHER
    assert route(key, named=OTHER, at=day(7))[0] == OTHER
    with pytest.raises(NotAMemberError):
        route(key, named=OTHER, at=day(4))


def test_only_tracked_usage_in_the_default_organization_shows_its_key() -> None:
    shown = [Route(bits) for bits in range(8) if bits & ATTRIBUTED == ATTRIBUTED]
    assert shown == [DEFAULT | TRACKED, NAMED | DEFAULT | TRACKED]


def test_an_event_from_the_future_is_looked_for_where_it_was_before_the_switch() -> None:
    ahead = timedelta(minutes=5)
    switched = day(15)
    assert earlier_homes(history(), at=switched - INSTANT, ahead=ahead) == []
    assert earlier_homes(history(), at=switched, ahead=ahead) == [ACME]
    assert earlier_homes(history(), at=switched + ahead, ahead=ahead) == [ACME]
    assert earlier_homes(history(), at=switched + ahead + INSTANT, ahead=ahead) == []
    assert earlier_homes(history(defaults=DEFAULTS[:1]), at=switched, ahead=ahead) == []


# Through the real ingest


@pytest.fixture
def token(db: None) -> str:
    return make_token()


def test_a_switch_of_the_default_holds_for_events_from_then_on_and_late_ones_go_home(token: str, world: World) -> None:
    key = make_key(world.rita)
    join(world.rita, world.labs, role="reader")
    before = make_event(id="before", api_key_id=key.public_id, timestamp=database_now())
    assert send(before, token) == ["accepted"]
    with routing_change() as switched:
        organizations.set_default_organization(user=world.rita, organization=world.labs, now=switched)
    late = make_event(id="late", api_key_id=key.public_id, timestamp=switched - INSTANT)
    after = make_event(id="after", api_key_id=key.public_id, timestamp=switched)
    assert send([before, late, after], token) == ["duplicate", "accepted", "accepted"]
    shown = DEFAULT | TRACKED
    assert home_of(before["timestamp"]) == (world.acme.id, shown)
    assert home_of(late["timestamp"]) == (world.acme.id, shown)
    assert home_of(after["timestamp"]) == (world.labs.id, shown)


def test_an_event_dated_ahead_of_a_switch_is_found_again_after_it(token: str, world: World) -> None:
    key = make_key(world.rita)
    join(world.rita, world.labs, role="reader")
    ahead = make_event(api_key_id=key.public_id, timestamp=database_now() + timedelta(minutes=2))
    other = {**ahead, "input_tokens": 5}
    assert send(ahead, token) == ["accepted"]
    with routing_change() as now:
        organizations.set_default_organization(user=world.rita, organization=world.labs, now=now)
    assert send([ahead, other, ahead], token) == ["duplicate", "conflict", "duplicate"]
    assert home_of(ahead["timestamp"]) == (world.acme.id, DEFAULT | TRACKED)
    assert num_events() == 1


def test_in_one_request_too_an_event_is_found_in_the_home_that_its_time_once_had(token: str, world: World) -> None:
    key = make_key(world.rita)
    join(world.rita, world.labs, role="reader")
    at = database_now() + timedelta(minutes=2)
    with routing_change() as now:
        organizations.set_default_organization(user=world.rita, organization=world.labs, now=now)
    new = make_event(api_key_id=key.public_id, timestamp=at)
    named = {**new, "organization": world.acme.public_id}
    assert send([named, new, {**new, "input_tokens": 5}], token) == ["accepted", "duplicate", "conflict"]
    assert home_of(at)[0] == world.acme.id
    assert num_events() == 1


def test_tracking_works_forward_only_and_never_rewrites(token: str, world: World) -> None:
    key = make_key(world.rita, created_at=datetime(2023, 6, 1, tzinfo=UTC))
    before = make_event(id="before", api_key_id=key.public_id)
    assert send(before, token) == ["accepted"]
    with routing_change() as switched:
        keys.set_tracking(api_key=key, tracked=True, now=switched)
    late = make_event(id="late", api_key_id=key.public_id, timestamp=switched - INSTANT)
    after = make_event(id="after", api_key_id=key.public_id, timestamp=switched)
    assert send([before, late, after], token) == ["duplicate", "accepted", "accepted"]
    bits = {at: home_of(at)[1] for at in (before["timestamp"], late["timestamp"], after["timestamp"])}
    assert list(bits.values()) == [DEFAULT, DEFAULT, DEFAULT | TRACKED]


def test_a_named_organization_takes_events_from_the_time_of_the_membership(token: str, world: World) -> None:
    key = make_key(world.rita)
    Membership.objects.create(
        user=world.rita, organization=world.labs, role="reader", joined_at=days_ago(5), left_at=days_ago(3)
    )
    moments = [days_ago(6), days_ago(5), days_ago(4), days_ago(3), days_ago(2)]
    events = [make_event(api_key_id=key.public_id, timestamp=at, organization=world.labs.public_id) for at in moments]
    assert send(events, token) == ["not_a_member", "accepted", "accepted", "not_a_member", "not_a_member"]
    assert home_of(days_ago(5)) == (world.labs.id, NAMED | TRACKED)


def test_a_member_of_the_parent_is_no_member_of_its_children(token: str, world: World) -> None:
    key = make_key(world.alice)
    event = make_event(api_key_id=key.public_id, organization=world.labs.public_id)
    assert send(event, token) == ["not_a_member"]


def test_totals_include_untracked_usage_and_it_shows_no_key(token: str, world: World) -> None:
    tracked, untracked = make_key(world.rita), make_key(world.rita, created_at=datetime(2023, 6, 1, tzinfo=UTC))
    join(world.rita, world.labs, role="reader")
    events = [
        make_event(id="a", api_key_id=tracked.public_id),
        make_event(id="b", api_key_id=untracked.public_id),
        make_event(id="c", api_key_id=tracked.public_id, organization=world.labs.public_id),
    ]
    assert send(events, token) == ["accepted"] * 3
    roll_up()
    hours = {
        row[:2]: int(row[2]) for row in HourlyUsage.objects.values_list("organization_id", "api_key_id", "input_tokens")
    }
    assert hours == {(world.acme.id, tracked.id): 100, (world.acme.id, 0): 100, (world.labs.id, 0): 100}
    days = dict(OrganizationDailyUsage.objects.values_list("organization_id", "input_tokens"))
    assert days == {world.acme.id: 200, world.labs.id: 100}


# Whatever is switched between the first and the second try

ORGANIZATIONS = st.sampled_from(["acme", "labs", "other"])
STEPS = st.one_of(
    st.tuples(st.just("new event"), st.integers(0, 9)),
    st.tuples(st.just("new event"), st.integers(0, 9), ORGANIZATIONS),
    st.tuples(st.just("default"), ORGANIZATIONS),
    st.tuples(st.just("default"), ORGANIZATIONS),
    st.tuples(st.just("tracking"), st.booleans()),
    st.tuples(st.just("join"), ORGANIZATIONS),
    st.tuples(st.just("leave"), ORGANIZATIONS),
    st.tuples(st.just("all again")),
)


@contextmanager
def forgotten() -> Iterator[None]:
    """A transaction that is rolled back, with all that the process remembers of it."""
    with undone():
        yield
    for memory in (directory, partitions, skus):
        memory.forget()


class Story:
    """One user's switches and events, and where each accepted event must be for ever."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.user = self.world.rita
        for organization in (self.world.labs, self.world.other):
            join(self.user, organization, role="reader")
        self.key = make_key(self.user)
        self.token = make_token()
        self.events: list[dict[str, object]] = []
        self.homes: dict[int, int] = {}
        self.moments = [days_ago(3), database_now() - timedelta(seconds=2), database_now() + timedelta(minutes=4)]

    def organization(self, slug: str) -> Organization:
        return {"acme": self.world.acme, "labs": self.world.labs, "other": self.world.other}[slug]

    def take(self, kind: str, *details: object) -> None:
        match kind, details:
            case "new event", (int(moment), *named):
                self.report(self.moments[-1 - moment % len(self.moments)], *named)
            case "all again", ():
                self.send(self.events)
            case "default" | "tracking" | "join" | "leave", (detail,):
                self.change(kind, detail)

    def report(self, at: datetime, named: object = None) -> None:
        number = len(self.events) + 1
        event = make_event(id=f"event-{number}", input_tokens=number, api_key_id=self.key.public_id, timestamp=at)
        if isinstance(named, str):
            event["organization"] = self.organization(named).public_id
        self.events.append(event)
        self.send([event, event])

    def change(self, kind: str, detail: object) -> None:
        try:
            with routing_change() as now, transaction.atomic():
                self.user.refresh_from_db()
                self.key.refresh_from_db()
                if kind == "tracking":
                    keys.set_tracking(api_key=self.key, tracked=bool(detail), now=now)
                elif kind == "default":
                    organizations.set_default_organization(
                        user=self.user, organization=self.organization(str(detail)), now=now
                    )
                elif kind == "join":
                    organizations.add_member(
                        user=self.user, organization=self.organization(str(detail)), role="reader", now=now
                    )
                else:
                    organizations.remove_member(user=self.user, organization=self.organization(str(detail)), now=now)
        except organizations.ChangeRefusedError:
            return
        self.moments += [now - INSTANT, now, now + INSTANT, now + timedelta(seconds=30)]

    def send(self, events: list[dict[str, object]]) -> None:
        """Each answer must fit what happened to the event before; the first acceptance decides for ever."""
        for event, outcome in zip(events, send(events, self.token), strict=True):
            number = int(str(event["input_tokens"]))
            if outcome == "accepted":
                assert number not in self.homes, f"event {number} counted twice"
                self.homes[number] = self.expected_home(event)
            elif outcome == "duplicate":
                assert number in self.homes
            else:
                # only an event that named an organization, which the user has left meanwhile or was not in
                assert (outcome, "organization" in event) == ("not_a_member", True)

    def expected_home(self, event: dict[str, object]) -> int:
        """product.md, section 2, rule 1, read off the tables that people see."""
        if "organization" in event:
            return Organization.objects.get(public_id=event["organization"]).id
        changes = DefaultOrganizationChange.objects.filter(user=self.user).order_by("effective_at")
        begun = [change for change in changes if change.effective_at <= event["timestamp"]]  # type: ignore[operator]
        return (begun[-1] if begun else changes[0]).organization_id

    def check(self) -> None:
        self.send(self.events)
        stored = sorted(UsageEvent.objects.values_list("input_tokens", "organization_id"))
        assert stored == sorted(self.homes.items())
        assert num_events() == len(self.homes)
        roll_up()
        counted = OrganizationDailyUsage.objects.values_list("organization_id", "num_model_requests")
        totals: Counter[int] = Counter()
        for organization_id, requests in counted:
            totals[organization_id] += int(requests)
        assert totals == Counter(self.homes.values())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=14))
def test_no_event_ever_counts_twice_or_in_two_organizations(world: World, steps: list[tuple[object, ...]]) -> None:
    with forgotten():
        story = Story(world)
        for kind, *details in steps:
            story.take(str(kind), *details)
        story.check()


@pytest.mark.django_db(transaction=True)
def test_events_that_arrive_while_the_default_is_switched_are_wholly_before_or_after(world: World) -> None:
    key, token, done = make_key(world.rita), make_token(), threading.Event()
    join(world.rita, world.labs, role="reader")

    def report() -> int:
        count = 0
        try:
            while not done.is_set():
                count += 1
                event = make_event(id=f"event-{count}", api_key_id=key.public_id, timestamp=database_now())
                assert send(event, token) == ["accepted"]
        finally:
            connection.close()
        return count

    with ThreadPoolExecutor(1) as threads:
        reporting = threads.submit(report)
        try:
            for number in range(20):
                done.wait(0.02)
                to = [world.labs, world.acme][number % 2]
                with routing_change() as now:
                    organizations.set_default_organization(user=world.rita, organization=to, now=now)
        finally:
            done.set()
        assert reporting.result() == num_events()
    changes = list(DefaultOrganizationChange.objects.filter(user=world.rita).order_by("effective_at"))
    for organization_id, at in UsageEvent.objects.values_list("organization_id", "occurred_at"):
        assert organization_id == [change for change in changes if change.effective_at <= at][-1].organization_id
