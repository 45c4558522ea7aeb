"""Staff opens an organization's pages: marked, on record, to read, for a while, and nobody else does."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import resolve, reverse

from accounts.audit.audit import SYSTEM_ACTOR, Actor, record
from accounts.audit.log import entries_of
from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import AuditEvent, Membership, User
from accounts.pages.menu import menu
from accounts.projects.attributes import declare
from accounts.projects.projects import make_project
from accounts.staff.opened import KEPT
from apikeys.adminkeys.adminkeys import create_admin_key
from billing.alerts import Budget, WebhookEndpoint
from billing.notices import endpoints, outbox
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.world import World, make_organization, make_user

SignIn = Callable[[User], Client]
ACTIVITY = "/settings/organization/acme/usage/activity/"
GENERAL = "/settings/organization/acme/"
MARK = "You see this as staff"
POST_FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]*)"')
LINK = re.compile(r'href="(/settings/organization/acme/[^"#?]*)')


@pytest.fixture
def sam(world: World) -> User:
    """Staff of the operator, in no organization of the world but one of their own, with the right to look."""
    user = make_user("sam@operator.test", name="Sam", role="owner", organization=make_organization("Operator"))
    User.objects.filter(pk=user.pk).update(is_staff=True)
    grant(user, "open_organization")
    return User.objects.get(pk=user.pk)


def grant(user: User, *rights: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))


def opened(client: Client, slug: str = "acme", **fields: str) -> Client:
    answer = client.post(f"/settings/customers/{slug}/opening/", fields)
    assert answer.status_code == 302, answer.content
    return client


def text(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def names_of_pages() -> Iterator[str]:
    yield from sorted(menu().names_to_read)


@pytest.fixture
def full(world: World) -> dict[str, object]:
    """Acme has something of everything that a page lists."""
    key = make_key(world.bob)
    send([make_event(api_key_id=key.public_id)], make_token())
    roll_up()
    with routing_change() as now:
        invitations.invite(
            organization=world.acme, email="n@acme.test", role="reader", invited_by=world.alice, now=now, actor=Actor()
        )
    with organization_change(world.acme) as now:
        project = make_project(organization=world.acme, name="Checkout")
        declare(organization=world.acme, name="team", title="Team", now=now)
    create_admin_key(organization=world.acme, name="Grafana", scopes=["usage"], now=now)
    Budget.objects.create(organization=world.acme, amount=40)
    WebhookEndpoint.objects.create(organization=world.acme, url="https://hooks.acme.test/x", encrypted_secret="x")
    return {"public_id": key.public_id, "project": project.public_id}


def address(name: str, full: dict[str, object]) -> str:
    if name.startswith("billing:invoice"):
        return reverse(name, args=["acme", 1])
    known = {"apikeys:project": [full["project"]], "metering:key_routing": [full["public_id"]]}
    return reverse(name, args=["acme", *known.get(name, [])])


def test_without_opening_staff_sees_nothing_of_an_organization(sam: User, client_of: SignIn) -> None:
    assert client_of(sam).get(ACTIVITY).status_code == 404


def test_every_page_to_read_opens_is_marked_and_has_no_form(
    sam: User, full: dict[str, object], client_of: SignIn
) -> None:
    client = opened(client_of(sam))
    for name in names_of_pages():
        answer = client.get(address(name, full))
        if name.startswith("billing:invoice"):
            assert answer.status_code == 404  # there is none
            continue
        assert answer.status_code == 200, name
        assert f"Acme · {MARK}" in text(answer), name
        forms = set(POST_FORM.findall(answer.content.decode()))
        assert forms == {"/accounts/logout/", "/settings/customers/leaving/"}, name


def test_no_page_has_a_link_that_is_refused(sam: User, full: dict[str, object], client_of: SignIn) -> None:
    client = opened(client_of(sam))
    for name in names_of_pages():
        for link in set(LINK.findall(client.get(address(name, full)).content.decode())):
            assert resolve(link).view_name in menu().names_to_read, f"{name} leads to {link}"


def test_staff_sees_no_whole_address_of_a_webhook(world: World, sam: User, client_of: SignIn) -> None:
    url = "https://hooks.acme.test/in/s3cret-path"
    outbox.test_message(endpoints.add(world.acme, url, actor=SYSTEM_ACTOR))
    record("webhook.removed", organization=world.acme, actor=SYSTEM_ACTOR, target_id="x", details={"url": url})
    client, owner = opened(client_of(sam)), client_of(world.alice)
    for path, to_owners in (("billing/", url), ("billing/messages/", url), ("audit/", "https://hooks.acme.test/…ath")):
        page = client.get(GENERAL + path).content.decode()
        assert "s3cret" not in page, path
        assert "https://hooks.acme.test/…ath" in page, path
        assert to_owners in owner.get(GENERAL + path).content.decode(), path
    assert "s3cret" not in str(AuditEvent.objects.get(event="webhook.created").details)


def test_every_change_is_refused_with_a_sentence(
    world: World, sam: User, full: dict[str, object], client_of: SignIn
) -> None:
    client = opened(client_of(sam))
    for path in ("name/", "members/", "projects/", "admin-keys/", "billing/details/", "billing/budgets/new/"):
        answer = client.post(GENERAL + path, {"name": "Stolen"})
        assert answer.status_code in (403, 405), path
    answer = client.post(GENERAL + "name/", {"name": "Stolen"})
    assert answer.status_code == 403
    assert "You see this organization as staff, to read" in text(answer)
    assert MARK in text(answer)
    world.acme.refresh_from_db()
    assert world.acme.name == "Acme"


@pytest.mark.parametrize(
    "path",
    [
        "usage/activity/export.csv?month=2026-01",
        "usage/cost/export.json?month=2026-01",
        "usage/activity/export/",
        "billing/export/",
        "billing/export/focus",
        "audit/export.csv",
        "departure/",
        "billing/budgets/new/",
        "admin-keys/adminkey_x/secret/",
    ],
)
def test_nothing_is_exported_and_no_form_s_page_opens(sam: User, client_of: SignIn, path: str) -> None:
    client = opened(client_of(sam))
    assert client.get(GENERAL + path).status_code == 403


def test_owners_read_that_staff_looked_and_why_and_staff_reads_who(world: World, sam: User, client_of: SignIn) -> None:
    client = opened(client_of(sam), reason="Ticket 12")
    client.get(ACTIVITY)
    client.get(GENERAL)
    client.post("/settings/customers/leaving/")
    events: list[Any] = list(entries_of(world.acme).order_by("id"))
    assert [(e.event, e.shown_actor, e.actor_name) for e in events] == [
        ("organization.opened_by_staff", "Staff", sam.email),
        ("organization.left_by_staff", "Staff", sam.email),
    ]
    page = text(client_of(world.alice).get(GENERAL + "audit/"))
    assert "Pages opened by staff" in page
    assert "Ticket 12" in page
    assert sam.email not in page


def test_from_where_members_acted_is_not_shown_to_staff(world: World, sam: User, client_of: SignIn) -> None:
    record("project.created", actor=Actor(world.alice, world.alice.email, "198.51.100.7"), organization=world.acme)
    assert "198.51.100.7" in text(client_of(world.alice).get(GENERAL + "audit/"))
    page = text(opened(client_of(sam)).get(GENERAL + "audit/"))
    assert "alice@acme.test" in page
    assert "198.51.100.7" not in page


def test_leaving_ends_it_at_once(sam: User, client_of: SignIn) -> None:
    client = opened(client_of(sam))
    assert client.get(ACTIVITY).status_code == 200
    client.post("/settings/customers/leaving/")
    assert client.get(ACTIVITY).status_code == 404


def test_signing_out_ends_it(sam: User, client_of: SignIn) -> None:
    client = opened(client_of(sam))
    client.logout()
    client.force_login(sam)
    assert client.get(ACTIVITY).status_code == 404


def test_another_person_in_the_same_browser_has_nothing_of_it(world: World, sam: User, client_of: SignIn) -> None:
    client = opened(client_of(sam))
    client.force_login(world.charlie)
    assert client.get(ACTIVITY).status_code == 404


def test_after_its_time_it_is_over_and_the_page_says_so(sam: User, client_of: SignIn) -> None:
    client = opened(client_of(sam))
    session = client.session
    session[KEPT] = {**session[KEPT], "until": (database_now() - timedelta(seconds=1)).timestamp()}
    session.save()
    answer = client.get(ACTIVITY)
    assert answer.status_code == 404
    assert "that has ended" in text(answer)


@pytest.mark.parametrize(
    "taken",
    [{"is_staff": False}, {"is_active": False}, "right", "second factor"],
)
def test_who_loses_a_right_in_the_middle_loses_the_pages(
    sam: User, client_of: SignIn, settings: object, taken: object
) -> None:
    client = opened(client_of(sam))
    if isinstance(taken, dict):
        User.objects.filter(pk=sam.pk).update(**taken)
    elif taken == "right":
        sam.user_permissions.clear()
    else:
        settings.STAFF_SECOND_FACTOR = True  # type: ignore[attr-defined]
    assert client.get(ACTIVITY).status_code in (302, 404)
    assert client.get(ACTIVITY, follow=True).redirect_chain or client.get(ACTIVITY).status_code == 404


def test_an_opening_is_of_one_organization(sam: User, world: World, client_of: SignIn) -> None:
    client = opened(client_of(sam))
    assert client.get("/settings/organization/other/").status_code == 404
    opened(client, "other")
    assert client.get("/settings/organization/other/").status_code == 200
    assert client.get(GENERAL).status_code == 404
    assert AuditEvent.objects.filter(event="organization.left_by_staff", organization=world.acme).exists()


@pytest.mark.parametrize("may_change", [True, False])
def test_a_session_that_claims_an_opening_opens_nothing_for_others(
    world: World, client_of: SignIn, may_change: bool
) -> None:
    client = client_of(world.charlie)
    session = client.session
    until = (database_now() + timedelta(hours=1)).timestamp()
    session[KEPT] = {"organization": world.acme.pk, "until": until, "may_change": may_change}
    session.save()
    assert client.get(ACTIVITY).status_code == 404
    assert client.post(GENERAL + "name/", {"name": "Stolen"}).status_code == 404


def test_a_session_cannot_claim_the_higher_right(sam: User, world: World, client_of: SignIn) -> None:
    client = client_of(sam)
    session = client.session
    until = (database_now() + timedelta(hours=1)).timestamp()
    session[KEPT] = {"organization": world.acme.pk, "until": until, "may_change": True}
    session.save()
    assert client.post(GENERAL + "name/", {"name": "Stolen"}).status_code == 404


def test_who_may_only_read_cannot_ask_for_more(sam: User, client_of: SignIn) -> None:
    client = client_of(sam)
    assert "Change things too" not in text(client.get("/settings/customers/acme/opening/"))
    opened(client, may_change="on")
    assert client.post(GENERAL + "name/", {"name": "Stolen"}).status_code == 403


def test_staff_without_the_right_cannot_open(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True)
    world.charlie.refresh_from_db()
    client = client_of(world.charlie)
    assert client.post("/settings/customers/acme/opening/").status_code == 403
    assert client.get(ACTIVITY).status_code == 404


def test_with_the_higher_right_changes_are_staff_s_in_the_audit_log(world: World, sam: User, client_of: SignIn) -> None:
    grant(sam, "change_opened_organization")
    client = client_of(User.objects.get(pk=sam.pk))
    assert "Change things too" in text(client.get("/settings/customers/acme/opening/"))
    opened(client, may_change="on")
    assert "may change things" in text(client.get(GENERAL))
    client.post(GENERAL + "name/", {"name": "Acme Inc."})
    world.acme.refresh_from_db()
    assert world.acme.name == "Acme Inc."
    client.post(f"{GENERAL}members/{world.rita.public_id}/role/", {"role": "admin"})
    assert Membership.objects.get(user=world.rita, organization=world.acme, left_at=None).role == "admin"
    client.post(GENERAL + "invitations/", {"email": "new@acme.test", "role": "owner"})
    entries: list[Any] = list(entries_of(world.acme).order_by("id"))
    found = [(each.event, each.shown_actor) for each in entries]
    assert found[1:] == [
        ("organization.updated", "Staff"),
        ("user.updated", "Staff"),
        ("invite.sent", "Staff"),
    ]


def test_no_page_search_or_file_tells_from_where_members_acted(world: World, sam: User, client_of: SignIn) -> None:
    record(
        "user.added",
        actor=Actor(world.alice, world.alice.email, "203.0.113.7"),
        organization=world.acme,
        target_name="Rita",
    )
    grant(sam, "change_opened_organization")
    client, log = opened(client_of(User.objects.get(pk=sam.pk)), may_change="on"), f"{GENERAL}audit/"
    answers = [client.get(log, {"text": "Rita"}), client.get(f"{log}export.csv", {"text": "Rita"})]
    found = [b"".join(answer).decode() for answer in answers]
    assert all(world.alice.email in each for each in found)
    assert not any("203.0.113.7" in each for each in found)
    by_address = {"text": "203.0.113.7"}
    assert client.get(log, by_address).context["page"].entries == ()
    assert world.alice.email not in b"".join(client.get(f"{log}export.csv", by_address)).decode()
    own = client_of(world.alice)
    assert len(own.get(log, by_address).context["page"].entries) == 1
    assert "203.0.113.7" in b"".join(own.get(f"{log}export.csv", by_address)).decode()


def test_with_the_higher_right_it_is_to_read_unless_asked_for(sam: User, client_of: SignIn) -> None:
    grant(sam, "change_opened_organization")
    client = opened(client_of(User.objects.get(pk=sam.pk)))
    assert client.post(GENERAL + "name/", {"name": "Stolen"}).status_code == 403


def test_who_is_in_the_organization_acts_as_its_member(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True)
    grant(world.alice, "open_organization")
    client = opened(client_of(User.objects.get(pk=world.alice.pk)))
    answer = client.get(GENERAL)
    assert MARK not in text(answer)
    assert client.post(GENERAL + "name/", {"name": "Acme 2"}).status_code == 302


def test_what_owners_are_asked_to_leave_is_not_shown_to_staff(sam: User, client_of: SignIn) -> None:
    page = text(opened(client_of(sam)).get(GENERAL))
    assert "Your role Staff" in page
    assert "Leave Acme" not in page


def test_an_organization_that_does_not_exist_cannot_be_opened(sam: User, client_of: SignIn) -> None:
    assert client_of(sam).post("/settings/customers/never/opening/").status_code == 404


@pytest.mark.parametrize("reason", ["a\nb", "x" * 201])
def test_a_reason_is_one_line(sam: User, client_of: SignIn, reason: str) -> None:
    assert client_of(sam).post("/settings/customers/acme/opening/", {"reason": reason}).status_code == 422
