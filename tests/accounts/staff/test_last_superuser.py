"""The installation keeps a superuser, whoever closes accounts, in whatever way, and however many do it at once."""

import html
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.audit.audit import Actor
from accounts.changes import change
from accounts.models import User
from accounts.people import support
from accounts.people.support import SupportRefusedError
from accounts.staff.superusers import superusers
from tests.database.waiting import until_somebody_waits
from tests.world import World

SignIn = Callable[[User], Client]


def make_superuser(email: str) -> User:
    return User.objects.create_superuser(email, "a good long one")


def text(answer: Any) -> str:
    return " ".join(html.unescape(answer.content.decode()).split())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False])
def test_two_superusers_who_deactivate_each_other_at_the_same_moment_leave_one(guarded: bool) -> None:
    """With the guard of the pages, and straight in the database without any lock of ours."""
    one, two = make_superuser("one@operator.test"), make_superuser("two@operator.test")
    together = Barrier(2, timeout=30)

    def deactivate(user: User, by: User) -> bool:
        try:
            together.wait()
            if guarded:
                with change():
                    support.deactivate(user, actor=Actor(user=by, name=by.email))
            else:
                with transaction.atomic():
                    User.objects.filter(pk=user.pk).update(is_active=False)
                    together.wait()
        except SupportRefusedError:
            return False
        except IntegrityError:
            assert not guarded, "the page said yes, and the database no"
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(deactivate, (one, two), (two, one))) == [False, True]
    assert superusers().count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_is_deactivated_while_they_deactivate_the_last_other_one_is_refused(client_of: SignIn) -> None:
    one, two = make_superuser("one@operator.test"), make_superuser("two@operator.test")
    client, address = client_of(two), reverse("accounts:user", args=[one.public_id]) + "deactivation/"

    def post() -> int:
        try:
            return client.post(address).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with change():
            User.objects.select_for_update(no_key=True).get(pk=one.pk)
            answer = threads.submit(post)
            until_somebody_waits()
            support.deactivate(two, actor=Actor(user=one, name=one.email))
        assert answer.result(timeout=30) == 302
    assert list(superusers()) == [one]


@pytest.mark.parametrize("without", ["is_active", "is_staff"])
def test_the_last_superuser_cannot_close_the_admin_site_to_themselves(
    world: World, client_of: SignIn, without: str
) -> None:
    root = make_superuser("root@operator.test")
    client, address = client_of(root), reverse("admin:accounts_user_change", args=[root.pk])
    said = {"name": "Root", "is_active": "on", "is_staff": "on"}
    said.pop(without)
    assert "root@operator.test is the last superuser." in text(client.post(address, said))
    assert list(superusers()) == [root]
    make_superuser("two@operator.test")
    assert client.post(address, said).status_code == 302
    assert [user.email for user in superusers()] == ["two@operator.test"]


@pytest.mark.parametrize("way", ["is_active", "is_staff", "is_superuser", "delete"])
def test_the_database_keeps_a_superuser_whatever_the_code_does(world: World, way: str) -> None:
    root = User.objects.filter(pk=make_superuser("root@operator.test").pk)

    def end() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if way == "delete":
                EmailAddress.objects.filter(user__in=root).delete()
                cursor.execute("DELETE FROM accounts_user WHERE email = 'root@operator.test'")
            else:
                root.update(**{way: False})
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="needs a superuser"):
        end()
    make_superuser("two@operator.test")
    end()
    assert [user.email for user in superusers()] == ["two@operator.test"]


def test_other_staff_comes_and_goes(world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(is_staff=True)
    with change():
        support.deactivate(User.objects.get(pk=world.rita.pk), actor=Actor())
    assert not User.objects.get(pk=world.rita.pk).is_active
