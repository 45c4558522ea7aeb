"""INIT_…: the first start without a browser, into an empty installation, once, and with no secret printed twice."""

import io
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as product
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Organization, User
from apikeys.models import IngestToken
from tests.engine import make_event, make_key, post
from tests.usage_dashboard.first_start.conftest import dismiss_everybody
from tests.world import World
from usage_dashboard.environment import Environment
from usage_dashboard.first_start import setting_up
from usage_dashboard.first_start.unattended import RefusedError, initialize
from usage_dashboard.machine.first_person import FirstPerson, first_person

EMAIL = "Olivia@Operator.test"
PASSWORD = "a long walk by the sea"
TOKEN = "it-" + "a1B2c3D4" * 5


def start() -> str:
    """What a start printed."""
    lines: list[str] = []
    initialize(lines.append)
    return "\n".join(lines)


def said(settings: Settings, **values: Any) -> None:
    settings.INIT = FirstPerson(**{"email": EMAIL, **values})


def test_the_first_start_makes_staff_organization_and_token(db: None, settings: Settings, client: Client) -> None:
    said(settings, name="Olivia", password=PASSWORD, organization="Northwind", ingest_token=TOKEN)
    assert start() == "olivia@operator.test is the first of staff."
    user = User.objects.get()
    assert (user.name, user.is_staff, user.is_superuser) == ("Olivia", True, True)
    assert user.default_organization == Organization.objects.get(name="Northwind")
    client.post("/accounts/login/", {"login": "olivia@operator.test", "password": PASSWORD})
    assert client.get("/settings/profile/").status_code == 200
    assert post([make_event(api_key_id=make_key(user).public_id)], TOKEN).status_code == 200
    assert not setting_up.is_open()
    assert AuditEvent.objects.filter(event=setting_up.DONE).count() == 1


def test_a_second_start_changes_and_prints_nothing(db: None, settings: Settings) -> None:
    said(settings)
    start()
    said(settings, email="other@operator.test", password=PASSWORD, organization="Other", ingest_token=TOKEN)
    assert start() == ""
    assert User.objects.get().email == "olivia@operator.test"
    assert not IngestToken.objects.exists()
    dismiss_everybody()
    assert start() == ""
    assert User.objects.count() == 1


def test_an_installation_with_staff_is_left_alone(world: World, settings: Settings) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True)
    said(settings, password=PASSWORD)
    assert start() == ""
    assert not User.objects.filter(email="olivia@operator.test").exists()


def test_without_a_password_a_link_is_printed_that_opens_once(db: None, settings: Settings) -> None:
    said(settings)
    printed = start()
    link = printed.split()[-1]
    assert link.startswith(f"{settings.SITE_ADDRESS}/accounts/password/reset/key/")
    path = link.removeprefix(settings.SITE_ADDRESS)
    chosen = Client().get(path).headers["Location"]
    browser = Client()
    browser.get(path)
    browser.post(chosen, {"password1": PASSWORD, "password2": PASSWORD})
    browser.post("/accounts/login/", {"login": "olivia@operator.test", "password": PASSWORD})
    assert browser.get("/settings/profile/").status_code == 200
    assert "password1" not in Client().get(path, follow=True).content.decode()
    assert start() == ""


def test_without_an_email_nothing_is_made(db: None, settings: Settings) -> None:
    settings.INIT = FirstPerson()
    assert start() == ""
    assert setting_up.is_open()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"password": "a b c"}, "INIT_PASSWORD: This password is too short"),
        ({"password": EMAIL}, "INIT_PASSWORD: "),
        ({"email": "olivia@"}, "Enter a valid email address"),
    ],
)
def test_what_cannot_be_makes_nothing_and_says_why(
    db: None, settings: Settings, wrong: dict[str, str], sentence: str
) -> None:
    said(settings, organization="Northwind", **wrong)
    with pytest.raises(RefusedError, match=f"nothing was made: {sentence}") as error:
        start()
    assert wrong.get("password", "\0") not in str(error.value)
    assert not User.objects.exists()
    assert setting_up.is_open()


def test_the_command_ends_with_1_and_the_sentence(db: None, settings: Settings) -> None:
    said(settings, password="short")
    with pytest.raises(SystemExit, match="INIT_PASSWORD"):
        call_command("initialize")
    said(settings, password=PASSWORD)
    out = io.StringIO()
    call_command("initialize", stdout=out)
    assert "olivia@operator.test is the first of staff." in out.getvalue()
    assert PASSWORD not in out.getvalue()


def test_an_address_that_somebody_only_wrote_down_goes_to_the_first_of_staff(
    db: None, settings: Settings, client: Client
) -> None:
    client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD})
    said(settings, password="another long walk")
    start()
    assert User.objects.get(email="olivia@operator.test").is_superuser


def test_somebody_s_confirmed_address_is_no_way_to_become_staff(world: World, settings: Settings) -> None:
    said(settings, email="rita@acme.test", password=PASSWORD)
    with pytest.raises(RefusedError, match="already a user"):
        start()
    assert not User.objects.filter(is_staff=True).exists()


@pytest.mark.parametrize("name", ["INIT_NAME", "INIT_PASSWORD", "INIT_ORGANIZATION", "INIT_INGEST_TOKEN"])
def test_what_belongs_to_nobody_is_a_problem(name: str) -> None:
    found = first_person(Environment({name: TOKEN}))
    assert found.problems == (f"{name} is set and INIT_EMAIL is not: set it to the email of the first of staff.",)


@pytest.mark.parametrize("token", ["gateway", "it-short", "sk-" + "a" * 40, f"it-{'a' * 39}", f"it-{'a' * 40} b"])
def test_a_token_that_could_be_guessed_is_a_problem(token: str) -> None:
    found = first_person(Environment({"INIT_EMAIL": EMAIL, "INIT_INGEST_TOKEN": token}))
    assert found.ingest_token == ""
    (problem,) = found.problems
    assert problem.startswith("INIT_INGEST_TOKEN must be")
    assert token not in problem


WRONG = {
    "INIT_NAME": "x" * 200,
    "INIT_PASSWORD": PASSWORD,
    "INIT_ORGANIZATION": "two\nlines",
    "INIT_INGEST_TOKEN": "it-hushhush",
}


def test_an_empty_installation_says_all_that_cannot_be_and_makes_nothing(db: None, settings: Settings) -> None:
    settings.INIT = first_person(Environment({"INIT_EMAIL": "olivia", **WRONG}))
    with pytest.raises(SystemExit) as ended:
        call_command("initialize")
    said = str(ended.value)
    assert all(f"{name} " in said for name in ("INIT_EMAIL", *WRONG) if name != "INIT_PASSWORD")
    assert "hushhush" not in said
    assert not User.objects.exists()
    settings.INIT = first_person(Environment(WRONG))
    with pytest.raises(RefusedError, match="INIT_ORGANIZATION is set and INIT_EMAIL is not") as refused:
        start()
    assert PASSWORD not in str(refused.value)


def test_what_cannot_be_is_nobody_s_matter_after_the_first_start(db: None, settings: Settings) -> None:
    said(settings)
    start()
    settings.INIT = first_person(Environment(WRONG))
    assert start() == ""
    assert User.objects.count() == 1


def test_no_other_program_minds_what_cannot_be() -> None:
    code = "from django.conf import settings; print(len(settings.INIT.problems), settings.INIT)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=product.BASE_DIR,
        env={**os.environ, **WRONG},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("7 ")
    assert PASSWORD not in done.stdout


def test_secrets_are_in_no_text_of_what_was_said() -> None:
    text = repr(FirstPerson(email=EMAIL, password=PASSWORD, ingest_token=TOKEN))
    assert PASSWORD not in text
    assert TOKEN not in text
