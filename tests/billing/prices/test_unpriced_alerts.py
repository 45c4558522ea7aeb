"""Usage without a price: staff are told of each kind once, with the address where it is priced."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.alerts import Delivery, UnpricedAlert
from billing.notices import deliveries
from billing.prices import unpriced
from tests.money import change_price, set_price, terms, use
from tests.world import World, make_world

NUM_WORKERS = 3


@pytest.fixture
def staff(world: World) -> User:
    """Charlie is staff with all rights; nobody else is told."""
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    world.charlie.refresh_from_db()
    return world.charlie


def test_staff_are_told_once_with_the_address_of_the_price_form(world: World, staff: User, settings: Settings) -> None:
    settings.SITE_ADDRESS = "https://usage.example.com"
    use(world.labs, "2026-11-05", "new-model", input_tokens=500)
    assert unpriced.check() == 1
    assert unpriced.check() == 0
    assert deliveries.deliver_waiting() == 1
    [message] = mail.outbox
    assert (message.to, message.subject) == ([staff.email], "Usage without a price: new-model, input")
    assert "new-model, input: 500 tokens, Nov 5, 2026, 1 organization" in message.body
    address = "/settings/prices/change/?model=new-model&line_item=1&effective_date=2026-11-05"
    assert f"\nhttps://usage.example.com{address}\n" in message.body
    client = Client()
    client.force_login(staff)
    assert 'value="new-model"' in client.get(address).content.decode()


def test_the_name_of_a_model_is_no_link_in_the_message(world: World, staff: User, settings: Settings) -> None:
    settings.SITE_ADDRESS = "https://usage.example.com"
    use(world.labs, "2026-11-05", "https://evil.com/login", input_tokens=500)
    unpriced.check()
    deliveries.deliver_waiting()
    (message,) = mail.outbox
    own_link = "https://usage.example.com/settings/prices/change/?model=https%3A%2F%2Fevil.com"
    assert own_link in message.body
    assert "evil.com" not in message.body.replace(own_link, "")
    assert "https://evil.com/login, input" in message.body.replace("\u200b", "")


def test_news_wait_for_somebody_to_tell(world: World) -> None:
    use(world.labs, "2026-11-05", "new-model", input_tokens=10)
    assert unpriced.check() == 0
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    assert unpriced.check() == 1
    assert Delivery.objects.count() == 1


def test_staff_who_can_do_nothing_about_it_are_not_told(world: World, staff: User) -> None:
    """By a right of their own, by one of a group, by another right, by none, and by a right without being staff."""
    change, view = (Permission.objects.get(codename=name) for name in ("change_price", "view_price"))
    group = Group.objects.create(name="Prices")
    group.permissions.add(change)
    User.objects.filter(pk__in=[world.alice.pk, world.bob.pk, world.rita.pk]).update(is_staff=True)
    world.alice.user_permissions.add(change)
    world.alice.groups.add(group)
    world.rita.user_permissions.add(view)
    use(world.labs, "2026-11-05", "new-model", input_tokens=10)
    unpriced.check()
    assert {message.recipient for message in Delivery.objects.all()} == {staff.email, world.alice.email}
    world.bob.groups.add(group)
    use(world.labs, "2026-11-05", "other-model", input_tokens=10)
    unpriced.check()
    assert set(Delivery.objects.filter(body__contains="other").values_list("recipient", flat=True)) == {
        staff.email, world.alice.email, world.bob.email
    }  # fmt: skip


def test_everything_new_is_in_one_message(world: World, staff: User) -> None:
    use(world.labs, "2026-11-05", "new-model", input_tokens=10, output_tokens=2)
    use(world.other, "2026-11-06", "newer-model", input_tokens=10)
    assert unpriced.check() == 3
    message = Delivery.objects.get()
    assert message.subject == "Usage without a price: 3 model parts"
    assert [name in message.body for name in ("new-model, input", "new-model, output", "newer-model, input")] == [
        True
    ] * 3
    use(world.other, "2026-11-07", "newest-model", input_tokens=10)
    assert unpriced.check() == 1
    later = Delivery.objects.latest("pk")
    assert "newest-model" in later.body
    assert "newer-model" not in later.body


def test_a_message_names_twenty_and_says_how_many_more(world: World, staff: User, settings: Settings) -> None:
    settings.SITE_ADDRESS = "https://usage.example.com"
    for number in range(25):
        use(world.labs, "2026-11-05", f"new-{number:02}", input_tokens=10)
    assert unpriced.check() == 25
    message = Delivery.objects.get()
    assert message.subject == "Usage without a price: 25 model parts"
    assert [f"new-{number:02}, input" in message.body for number in range(25)] == [True] * 20 + [False] * 5
    assert "\nAnd 5 more:\nhttps://usage.example.com/settings/prices/unpriced/\n" in message.body


def test_more_of_the_same_month_is_not_told_again_and_that_of_another_month_is(world: World, staff: User) -> None:
    use(world.labs, "2026-10-05", "new-model", input_tokens=10)
    assert unpriced.check() == 1
    use(world.other, "2026-10-31", "new-model", input_tokens=10)
    assert unpriced.check() == 0
    use(world.other, "2026-11-01", "new-model", input_tokens=10)
    assert unpriced.check() == 1


def test_usage_that_has_a_price_or_was_taken_back_is_not_told(world: World, staff: User) -> None:
    set_price("free", "0")
    use(world.labs, "2026-11-05", "free", input_tokens=10)
    use(world.labs, "2026-11-05", "corrected", input_tokens=10)
    use(world.labs, "2026-11-05", "corrected", input_tokens=-10)
    use(world.labs, "2026-11-05", "priced-in-time", input_tokens=10)
    change_price(terms("priced-in-time", "0.5", start="2026-11-01"))
    assert unpriced.check() == 0
    assert not Delivery.objects.exists()


def test_a_price_that_ends_is_told_when_usage_goes_on(world: World, staff: User) -> None:
    set_price("old", "0.01")
    use(world.labs, "2026-10-05", "old", input_tokens=10)
    change_price(terms("old", None, start="2026-11-01"))
    assert unpriced.check() == 0
    use(world.labs, "2026-11-05", "old", input_tokens=10)
    assert unpriced.check() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_tell_everybody_once() -> None:
    world = make_world()
    User.objects.filter(pk__in=[world.charlie.pk, world.bob.pk]).update(is_staff=True, is_superuser=True)
    for number in range(5):
        use(world.acme, "2026-11-05", f"new-{number}", input_tokens=10)
    together = Barrier(NUM_WORKERS)

    def work() -> int:
        try:
            together.wait()
            return unpriced.check()
        finally:
            connection.close()

    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        told = [found.result() for found in [pool.submit(work) for _ in range(NUM_WORKERS)]]
    assert sorted(told) == [0, 0, 5]
    assert UnpricedAlert.objects.count() == 5
    assert sorted(Delivery.objects.values_list("recipient", flat=True)) == [world.bob.email, world.charlie.email]
