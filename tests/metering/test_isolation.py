"""One bad item never stops the ones behind it: it is counted, logged, told to staff, tried again, and given up in the end."""

import logging

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts.clock import database_now
from accounts.models import User
from billing.alerts import Delivery
from billing.notices import deliveries, failures
from metering import isolation
from metering.models import FailedItem
from tests.world import World

TASK = "tests.halves"
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(world: World) -> User:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    world.charlie.refresh_from_db()
    return world.charlie


def halve(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def halved(*numbers: int, at_once: bool = False) -> list[int]:
    return isolation.do_each(TASK, numbers, halve, at_once=at_once)


def make_due() -> None:
    FailedItem.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=database_now())


def test_the_items_behind_one_that_fails_are_done(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(isolation.each(TASK, [2, 3, 4], halve)) == [(2, 1), (4, 2)]
    [record] = caplog.records
    assert record.exc_info is not None
    failed = FailedItem.objects.get()
    assert (failed.task, failed.item, failed.num_attempts, failed.last_error) == (TASK, "3", 1, "ValueError: 3 is odd")


def test_a_failed_item_waits_longer_and_longer_and_is_given_up() -> None:
    waits = []
    for _ in isolation.WAITS:
        halved(3)
        found = FailedItem.objects.get()
        assert found.next_attempt_at is not None
        waits.append(found.next_attempt_at - found.last_failed_at)
        halved(3)  # not due: no attempt
        make_due()
    assert waits == list(isolation.WAITS)
    halved(3)
    assert FailedItem.objects.get().next_attempt_at is None
    halved(3)
    assert FailedItem.objects.get().num_attempts == len(isolation.WAITS) + 1


def test_an_item_that_succeeds_is_forgotten() -> None:
    isolation.count_failure(TASK, 2, ValueError("once"))
    assert halved(2) == []
    assert halved(2, at_once=True) == [1]
    assert not FailedItem.objects.exists()


def test_an_item_that_fails_in_the_database_leaves_the_others_their_transactions() -> None:
    def divide(number: int) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 6 / %s", [number])
            return int(cursor.fetchone()[0])

    assert isolation.do_each(TASK, [0, 3], divide) == [2]
    assert "division by zero" in FailedItem.objects.get().last_error


@pytest.mark.django_db(transaction=True)
def test_an_item_that_costs_the_connection_does_not_cost_the_next_its_turn() -> None:
    def ask(number: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())" if number == 1 else f"SELECT {number}")
            return int(cursor.fetchone()[0])

    assert isolation.do_each(TASK, [1, 2], ask) == [2]
    assert FailedItem.objects.get().item == "1"


def test_what_is_wrong_with_the_list_itself_rises() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        isolation.do_each(TASK, FailedItem.objects.extra(where=["1 / 0 = 1"]), str)


def test_staff_are_told_of_the_first_failure_and_of_giving_up_and_of_nothing_between(staff: User) -> None:
    halved(3, 5)
    assert failures.check() == 2
    message = Delivery.objects.get()
    assert (message.recipient, message.subject) == (staff.email, "2 items failed")
    assert f"{TASK}, 3: ValueError: 3 is odd (attempts: 1, tried again)" in message.body
    for _ in isolation.WAITS[1:]:
        make_due()
        halved(3)
        assert failures.check() == 0
    make_due()
    halved(3)
    assert failures.check() == 1
    assert "given up" in Delivery.objects.latest("pk").body
    assert deliveries.deliver_waiting() == 2


def test_a_message_names_twenty_failures(staff: User) -> None:
    halved(*range(1, 61, 2))
    assert failures.check() == 30
    assert Delivery.objects.get().body.count("is odd") == 20


def test_news_wait_for_somebody_to_tell(world: World) -> None:
    halved(3)
    assert failures.check() == 0
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    assert failures.check() == 1


def test_staff_have_an_item_that_was_given_up_tried_again(staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(is_superuser=True)
    halved(3)
    FailedItem.objects.update(next_attempt_at=None, num_attempts=10)
    client = Client()
    client.force_login(staff)
    row = FailedItem.objects.get()
    page = "/admin/metering/faileditem/"
    client.post(page, {"action": "try_again", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert (row.num_attempts, row.next_attempt_at is not None) == (0, True)
