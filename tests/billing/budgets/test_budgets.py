"""Budgets: who is told what, once, and when keys are refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection
from pytest_django import Settings

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import AuditEvent, Organization, RoutingVersion
from accounts.periods import month_of, next_month, previous_month
from apikeys import directory
from billing.alerts import BudgetAlert, Delivery, WebhookEndpoint
from billing.budgets import blocks, budgets
from billing.budgets.blocks import Use
from billing.budgets.budgets import BudgetRefusedError
from billing.budgets.checks import check, check_forecasts
from billing.notices import deliveries, endpoints
from billing.prices import rating
from metering.intake import skus
from tests.engine import make_event, make_key, make_token, send
from tests.money import ACTOR, model_of, set_price, use
from tests.world import Role, World, join, make_world

NUM_WORKERS = 3


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    blocks.forget()
    yield
    blocks.forget()


@pytest.fixture
def today(world: World) -> date:
    set_price("m", "0.01")
    return database_now().date()


def set_budget(
    world: World, amount: str = "10", thresholds: tuple[int, ...] = (50, 80, 100), *, hard: bool = False
) -> None:
    budgets.set_budget(world.acme, amount=Decimal(amount), thresholds=thresholds, is_hard=hard, actor=ACTOR)


def refusal(organization: Organization) -> str | None:
    """Why a key may not be used in the organization, as a gateway is told."""
    block = blocks.block_of(Use(organization, api_key_id=1, user_id=1))
    return block.message if block is not None else None


def crossed() -> list[int]:
    return list(BudgetAlert.objects.order_by("threshold").values_list("threshold", flat=True))


def test_a_threshold_is_told_when_it_is_reached_and_not_before(world: World, today: date) -> None:
    set_budget(world)
    use(world.acme, today, "m", input_tokens=499)
    assert check() == 0
    use(world.acme, today, "m", input_tokens=1)
    assert check() == 1
    assert crossed() == [50]
    use(world.acme, today, "m", input_tokens=600)
    assert check() == 2
    assert check() == 0
    assert crossed() == [50, 80, 100]


def test_the_children_of_a_parent_count_and_siblings_do_not(world: World, today: date) -> None:
    set_budget(world)
    budgets.set_budget(world.japan, amount=Decimal(1), thresholds=[100], is_hard=False, actor=ACTOR)
    use(world.labs, today, "m", input_tokens=600)
    assert check([world.labs.pk]) == 1
    assert BudgetAlert.objects.get().organization == world.acme


def test_usage_of_other_months_does_not_count(world: World, today: date) -> None:
    set_budget(world, "1")
    use(world.acme, month_of(today).start - timedelta(days=1), "m", input_tokens=600)
    assert check() == 0


def test_each_threshold_is_told_again_in_the_next_month(world: World, today: date) -> None:
    set_budget(world, "1", (100,))
    earlier = previous_month(month_of(today))
    use(world.acme, earlier.start, "m", input_tokens=600)
    use(world.acme, today, "m", input_tokens=600)
    assert check(now=earlier.end_at - timedelta(seconds=1)) == 1
    assert check(now=earlier.end_at) == 1
    assert list(BudgetAlert.objects.order_by("month").values_list("month", flat=True)) == [
        earlier.start,
        month_of(today).start,
    ]


def test_a_budget_that_is_set_below_what_is_spent_tells_so_at_once(world: World, today: date) -> None:
    use(world.acme, today, "m", input_tokens=900)
    set_budget(world)
    assert crossed() == [50, 80]


def test_owners_get_one_mail_for_each_threshold(world: World, today: date) -> None:
    join(world.charlie, world.acme, role=Role.OWNER)
    set_budget(world)
    use(world.labs, today, "m", input_tokens=600)
    check()
    assert deliveries.deliver_waiting() == 2
    assert deliveries.deliver_waiting() == 0
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@acme.test", "charlie@other.test"]
    assert mail.outbox[0].subject == f"Acme has used 50% of its budget for {today:%B %Y}"
    assert "You've used $6.00 of your $10.00 budget" in mail.outbox[0].body


def test_a_mail_server_that_is_down_is_tried_again_and_the_mail_goes_out_once(
    world: World, today: date, settings: Settings
) -> None:
    set_budget(world, "1", (100,))
    use(world.acme, today, "m", input_tokens=600)
    check()
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert deliveries.deliver_waiting() == 0
    failed = Delivery.objects.get()
    assert (failed.num_attempts, failed.delivered_at) == (1, None)
    assert "refused" in failed.last_error
    settings.EMAIL_BACKEND = working
    assert deliveries.deliver_waiting() == 0
    Delivery.objects.update(next_attempt_at=database_now())
    assert deliveries.deliver_waiting() == 1
    assert deliveries.deliver_waiting() == 0
    assert len(mail.outbox) == 1


def test_what_never_goes_out_is_given_up(world: World, today: date, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    set_budget(world, "1", (100,))
    use(world.acme, today, "m", input_tokens=600)
    check()
    for _ in endpoints.WAITS:
        deliveries.deliver_waiting()
        Delivery.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=database_now())
    deliveries.deliver_waiting()
    given_up = Delivery.objects.get()
    assert (given_up.num_attempts, given_up.next_attempt_at) == (len(endpoints.WAITS) + 1, None)


def test_a_month_that_is_expected_to_exceed_the_budget_is_told_of_once(world: World, today: date) -> None:
    now = next_month(month_of(today)).start_at.replace(day=10, hour=12)
    for number in range(1, 15):
        use(world.labs, now.date() - timedelta(days=number), "m", input_tokens=100)
    set_budget(world, "100", (100,))
    assert check_forecasts(now) == 0
    set_budget(world, "25", (100,))
    assert check_forecasts(now) == 1
    assert check_forecasts(now) == 0
    assert "expected to exceed its budget" in Delivery.objects.get().subject


def test_a_soft_budget_refuses_nobody(world: World, today: date) -> None:
    set_budget(world, "1")
    use(world.acme, today, "m", input_tokens=600)
    assert refusal(world.acme) is None


def test_a_spent_hard_budget_refuses_the_organization_and_its_children_until_the_month_ends(
    world: World, today: date
) -> None:
    set_budget(world, "1", hard=True)
    use(world.labs, today, "m", input_tokens=99)
    assert refusal(world.acme) is None
    use(world.labs, today, "m", input_tokens=1)
    blocks.forget()
    reason = refusal(world.acme)
    assert reason == (
        f"The organization's budget of $1.00 for {today:%B %Y} is used up."
        f" It resets on {next_month(month_of(today)).start} at 00:00 UTC."
    )
    child = refusal(world.japan)
    assert child is not None
    assert child.startswith("The paying organization's budget")
    assert refusal(world.other) is None


def test_raising_a_hard_budget_lets_keys_in_again(world: World, today: date) -> None:
    set_budget(world, "1", hard=True)
    use(world.acme, today, "m", input_tokens=100)
    assert refusal(world.acme) is not None
    set_budget(world, "2", hard=True)
    assert refusal(world.acme) is None
    budgets.remove_budget(world.acme, actor=ACTOR)
    assert refusal(world.acme) is None
    events = AuditEvent.objects.filter(organization=world.acme).order_by("pk").values_list("event", flat=True)
    assert list(events) == ["budget.set", "budget.set", "budget.removed"]


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN"])
def test_a_budget_that_is_none_is_refused(world: World, amount: str) -> None:
    with pytest.raises(BudgetRefusedError):
        set_budget(world, amount)


@pytest.mark.parametrize("threshold", [0, -5, 1001])
def test_a_threshold_that_is_none_is_refused(world: World, threshold: int) -> None:
    with pytest.raises(BudgetRefusedError):
        set_budget(world, "1", (threshold,))


@pytest.mark.django_db(transaction=True)
def test_usage_that_is_rolled_up_raises_the_alert_in_the_same_run_and_stops_the_keys() -> None:
    world = make_world()
    directory.forget()
    skus.forget()
    RoutingVersion.objects.get_or_create(id=1)
    model_of("m")
    set_price("m", "0.01")
    set_budget(world, "1", (100,), hard=True)
    with routing_change():
        key = make_key(world.alice)
        token = make_token()
    event = make_event(
        model="m", api_key_id=key.public_id, timestamp=database_now(), input_tokens=100, output_tokens=None
    )
    assert send([event], token) == ["accepted"]
    assert refusal(world.acme) is None
    rating.catch_up()
    assert crossed() == [100]
    blocks.forget()
    assert refusal(world.acme) is not None


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_tell_everybody_once() -> None:
    world = make_world()
    set_price("m", "0.01")
    WebhookEndpoint.objects.create(
        organization=world.acme, url="http://127.0.0.1/", encrypted_secret=endpoints.seal("whsec_AAAA")
    )
    set_budget(world)
    use(world.acme, database_now().date(), "m", input_tokens=2000)
    together = Barrier(NUM_WORKERS)

    def work() -> None:
        try:
            together.wait()
            check()
            deliveries.deliver_waiting()
        finally:
            connection.close()

    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        for done in [pool.submit(work) for _ in range(NUM_WORKERS)]:
            done.result()
    deliveries.deliver_waiting()
    assert crossed() == [50, 80, 100]
    assert len(mail.outbox) == len({message.subject for message in mail.outbox}) == 3
    # The first is refused, and the endpoint rests: the other two wait.
    assert sorted(Delivery.objects.exclude(endpoint=None).values_list("num_attempts", flat=True)) == [0, 0, 1]
