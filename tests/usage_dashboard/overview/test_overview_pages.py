"""Staff's home and the state of the installation: the same checks as `manage.py doctor`, and steps that know what is done."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings

from accounts.clock import database_now
from accounts.installation.brand import Brand, Image
from accounts.installation.notices import CONSOLE
from accounts.models import AuditEvent, User
from apikeys.operatortokens.operatortokens import create_operator_token
from metering.models import FailedItem
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.money import set_price
from tests.world import PASSWORD, World
from usage_dashboard.doctor import examination, facts, stores, surroundings, work
from usage_dashboard.doctor.findings import Weight
from usage_dashboard.models import Backup
from usage_dashboard.overview import state as states
from usage_dashboard.overview.checklist import STEPS, checklist
from usage_dashboard.overview.state import AREAS, PAGES, State, state

pytestmark = pytest.mark.usefixtures("nobody_to_wait_for")
SignIn = Callable[[User], Client]
HOME = "/settings/staff/"
SYSTEM = "/settings/staff/state/"


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    user = User.objects.create_user("sam@operator.test", PASSWORD, name="Sam", is_staff=True, is_superuser=True)
    return client_of(user)


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def done() -> set[str]:
    return {step.id for step in checklist(state(anew=True)).done}


def test_every_check_is_in_one_area() -> None:
    checks = (*examination.OUTSIDE, *examination.SCHEMA, *examination.INSIDE, *facts.ALL)
    placed = [check for area in AREAS.values() for check in area]
    assert len(placed) == len(set(placed))
    assert set(placed) == set(checks)


def test_the_page_says_what_doctor_says(world: World, staff: Client) -> None:
    said = [(check, each.sentence) for check, each in examination.examine(more=facts.ALL)]
    page = text(staff.get(SYSTEM))
    moving = (facts.waiting, facts.sizes, surroundings.disk)
    assert len(said) > 12
    for check, sentence in said:
        if check not in moving:
            assert sentence in page, sentence
    assert "Django 5.2" in page
    assert "Stored batches that wait to be rolled up: 0." in page


def test_every_check_has_a_place_on_the_page() -> None:
    placed = {check for checks in AREAS.values() for check in checks}
    assert placed == {*examination.OUTSIDE, *examination.SCHEMA, *examination.INSIDE, *facts.ALL}
    assert set(PAGES) <= placed


def test_what_is_bad_comes_first_and_leads_to_where_it_is_mended(world: World, staff: Client) -> None:
    FailedItem.objects.create(task="t", item="1", next_attempt_at=None)
    answer = staff.get(SYSTEM)
    page = text(answer)
    assert page.index("Bad: What failed for days was given up: 1 item.") < page.index("Healthy: Rollups keep up")
    assert "/admin/metering/faileditem/" in answer.content.decode()
    assert "must be mended" in text(staff.get(HOME))


def test_an_examination_is_kept_for_a_moment(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "kept"}}
    first = state()
    monkeypatch.setattr(states, "examine", lambda **_: pytest.fail("looked again"))
    assert state() == first


def test_without_the_database_s_answer_the_page_says_which_check_failed(
    world: World, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Iterator[Any]:
        raise DatabaseError("canceling statement due to statement timeout")
        yield

    monkeypatch.setattr(examination, "INSIDE", (broken,))
    assert "Bad: broken could not be looked at: canceling statement" in text(staff.get(SYSTEM))


def test_a_fresh_installation_has_almost_everything_left(world: World, staff: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = CONSOLE
    page = text(staff.get(HOME))
    assert "What is left to set up" in page
    assert {"events", "prices", "operator-token", "name", "mail", "sign-on", "address"} <= {
        step.id for step in checklist(state()).left
    }


def test_each_step_knows_when_it_is_done(world: World, staff: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = CONSOLE
    before = done()
    assert not before & {"events", "prices", "operator-token", "name", "seller", "mail", "sign-on", "backups"}
    set_price("m", "0.01")
    assert done() - before == {"prices"}
    send([make_event(api_key_id=make_key(world.bob).public_id, model="m", output_tokens=0)], make_token())
    roll_up()
    assert done() - before == {"prices", "events"}
    create_operator_token(name="CRM", scopes=["read"], now=database_now())
    settings.BRAND = Brand("Northwind AI")
    settings.INVOICE_SELLER_NAME = "Northwind Inc."
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.OIDC_SERVER_URL = "https://sso.example.com"
    Backup.objects.create(as_of=database_now() - timedelta(hours=1), name="x", num_bytes=1)
    settings.STAFF_SECOND_FACTOR = True
    Authenticator.objects.create(user=User.objects.get(email="sam@operator.test"), type="totp", data={"secret": "x"})
    left = {step.id for step in checklist(state(anew=True)).left}
    assert left == {"address"}  # of this machine alone


def test_a_logo_that_cannot_be_on_invoices_leaves_the_step_of_who_issues_them_done(
    world: World, staff: Client, settings: Settings
) -> None:
    settings.INVOICE_SELLER_NAME = "Northwind Inc."
    settings.BRAND = Brand("Northwind AI", logo=Image(b"<svg/>", "image/svg+xml"))
    assert "seller" in done()
    assert "The logo cannot be on invoices as it is." in text(staff.get(SYSTEM))


def test_prices_are_not_done_while_usage_has_none(world: World) -> None:
    send([make_event(api_key_id=make_key(world.bob).public_id, model="nobody-knows-it")], make_token())
    roll_up()
    set_price("m", "0.01")
    assert "prices" not in done()


def test_a_dismissed_step_stays_dismissed_for_all_staff_and_is_on_record(world: World, staff: Client) -> None:
    answer = staff.post(f"{HOME}steps/sign-on/dismissal/", follow=True)
    assert "“Single sign-on” is dismissed." in text(answer)
    staff.post(f"{HOME}steps/sign-on/dismissal/")
    found = checklist(state())
    assert "sign-on" not in {step.id for step in found.left}
    assert [step.id for step in found.dismissed] == ["sign-on"]
    assert "Dismissed (1)" in text(staff.get(HOME))
    assert AuditEvent.objects.get(event="installation.step_dismissed").actor_name == "sam@operator.test"
    staff.post(f"{HOME}steps/sign-on/taking-back/")
    assert "sign-on" in {step.id for step in checklist(state()).left}
    assert AuditEvent.objects.filter(event="installation.step_taken_back").count() == 1


def test_a_step_that_does_not_exist_cannot_be_dismissed(staff: Client) -> None:
    assert staff.post(f"{HOME}steps/never/dismissal/").status_code == 404
    assert not AuditEvent.objects.filter(event="installation.step_dismissed").exists()


def test_home_opens_to_all_staff_and_the_state_to_those_with_the_right(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True)
    client = client_of(User.objects.get(pk=world.charlie.pk))
    page = text(client.get(HOME))
    assert "System" not in page
    assert "Dismiss" not in page
    assert client.get(SYSTEM).status_code == 403
    assert client.post(f"{HOME}steps/mail/dismissal/").status_code == 403


def test_staff_without_an_organization_comes_to_its_home(staff: Client) -> None:
    assert staff.get("/usage").headers["Location"] == HOME


def test_steps_have_ids_and_pages_of_their_own(staff: Client) -> None:
    assert len({step.id for step in STEPS}) == len(STEPS)
    page = staff.get(HOME).content.decode()
    for address in ("/settings/security/", "/settings/ingestion/", "/settings/prices/", "/settings/operator-tokens/"):
        assert address in page


def test_a_state_is_as_bad_as_its_worst_finding() -> None:
    now = datetime.now(UTC)
    fine = states.Line("stores.clocks", Weight.FINE, "a", "")
    note = states.Line("surroundings.mail", Weight.NOTE, "b", "c")
    assert State(now, ()).weight is Weight.FINE
    assert State(now, (fine, note)).weight is Weight.NOTE
    assert State(now, (fine, note)).is_fine(stores.clocks)
    assert not State(now, (fine, note)).is_fine(surroundings.mail)
    assert [area.title for area in State(now, (fine, note)).areas] == ["Database", "Surroundings"]
    assert State(now, (fine, note)).is_fine(work.prices)
