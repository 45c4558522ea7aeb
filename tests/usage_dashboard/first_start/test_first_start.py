"""The first start: whoever has the code becomes staff, once, and sends the first event."""

import json
import re
import subprocess
from collections.abc import Callable
from threading import Thread

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import AuditEvent, Organization, User
from accounts.organizations import organizations
from apikeys.models import APIKey, IngestToken
from metering.models import UsageEvent
from tests.usage_dashboard.first_start.conftest import dismiss_everybody
from tests.world import World
from usage_dashboard.first_start import setting_up

PAGE = "/first-start/"
PASSWORD = "a long walk by the sea"


def filled(**changed: str) -> dict[str, str]:
    """The form as a first operator fills it."""
    return {
        "code": setting_up.code(),
        "name": "Olivia",
        "email": "Olivia@Operator.test",
        "password": PASSWORD,
        "organization": "Northwind",
        **changed,
    }


def test_the_first_person_becomes_staff_with_all_that_the_first_event_needs(db: None, client: Client) -> None:
    assert setting_up.code() in client.get(f"{PAGE}?code={setting_up.code()}").content.decode()
    page = client.post(PAGE, filled(), follow=True).content.decode()
    user = User.objects.get()
    organization = Organization.objects.get(name="Northwind")
    assert (user.email, user.is_staff, user.is_superuser) == ("olivia@operator.test", True, True)
    assert user.default_organization == organization
    assert IngestToken.objects.get().name == "gateway"
    assert APIKey.objects.get().public_id in page
    assert AuditEvent.objects.filter(organization=organization).exists()
    assert re.search(r"it-[0-9A-Za-z]{40}", page)
    again = client.get("/first-start/event/").content.decode()
    assert not re.search(r"it-[0-9A-Za-z]{40}", again)


@pytest.mark.django_db(transaction=True)
def test_the_command_that_is_shown_reports_the_first_event(
    client: Client, live_server: object, settings: Settings
) -> None:
    settings.SITE_ADDRESS = str(live_server)
    page = client.post(PAGE, filled(), follow=True).content.decode()
    found = re.search(r"<code>(curl .*?)</code>", page, re.DOTALL)
    assert found is not None
    command = found[1].replace("&#x27;", "'").replace("&quot;", '"').replace("&amp;", "&")
    answer = subprocess.run(["sh", "-c", f"{command} --silent"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(answer.stdout)["accepted"] == 1
    assert UsageEvent.objects.get().organization_id == Organization.objects.get(name="Northwind").pk


@pytest.mark.parametrize("code", ["", "AAAA", "x" * 64, "ÄÖÜ", "\0"])
def test_a_guess_makes_nobody_staff(db: None, client: Client, code: str) -> None:
    response = client.post(PAGE, filled(code=code))
    assert response.status_code == 422
    assert not User.objects.exists()


def test_a_code_in_small_letters_with_spaces_around_it_is_the_code(db: None, client: Client) -> None:
    client.post(PAGE, filled(code=f" {setting_up.code().lower()} "))
    assert User.objects.filter(is_staff=True).exists()


def test_a_code_that_was_used_opens_nothing(db: None, client: Client) -> None:
    client.post(PAGE, filled())
    other = Client()
    for response in (other.get(f"{PAGE}?code={setting_up.code()}"), other.post(PAGE, filled(email="b@b.test"))):
        assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert User.objects.count() == 1


def test_a_code_that_was_used_opens_nothing_when_its_user_is_no_staff_any_more(db: None, client: Client) -> None:
    client.post(PAGE, filled())
    dismiss_everybody()
    assert not setting_up.is_open()
    assert Client().get(PAGE).status_code == 302


def test_the_page_after_it_is_for_staff_with_an_organization(world: World, client_of: Callable[[User], Client]) -> None:
    assert client_of(world.bob).get("/first-start/event/").status_code == 302
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, default_organization=None)
    assert client_of(User.objects.get(pk=world.alice.pk)).get("/first-start/event/").status_code == 302


def test_an_installation_with_staff_has_no_first_start(world: World, client_of: Callable[[User], Client]) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True)
    assert client_of(world.bob).get(PAGE).status_code == 302
    with pytest.raises(SystemExit, match="has been set up"):
        call_command("first_start")


def test_the_command_prints_the_link_while_nobody_is_staff(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("first_start")
    assert capsys.readouterr().out.strip() == setting_up.link()
    assert setting_up.link().endswith(f"/first-start/?code={setting_up.code()}")


def test_the_code_follows_from_the_secret_key(settings: Settings) -> None:
    first = setting_up.code()
    assert re.fullmatch(r"[A-Z2-7]{24}", first)
    settings.SECRET_KEY = "another one of fifty characters for this test alone"
    assert setting_up.code() != first


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("password", "short", "too short"),
        ("password", "password1234", "too common"),
        ("email", "nobody", "valid email address"),
        ("name", "line\nbreak", "control characters"),
        ("organization", "", "required"),
        ("email", "taken@x.test", "already a user"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_made(
    db: None, client: Client, field: str, value: str, sentence: str
) -> None:
    organizations.create_user(email="taken@x.test", now=database_now())
    response = client.post(PAGE, filled(**{field: value}))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not User.objects.filter(is_staff=True).exists()
    assert not IngestToken.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_people_with_the_code_one_is_the_first() -> None:
    outcomes: list[str] = []

    def try_it(number: int) -> None:
        try:
            setting_up.set_up(
                given=setting_up.code(), email=f"p{number}@x.test", name="P", password=PASSWORD, organization="O"
            )
            outcomes.append("first")
        except setting_up.SetUpAlreadyError:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [Thread(target=try_it, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["first", "late", "late", "late"]
    assert User.objects.count() == 1
