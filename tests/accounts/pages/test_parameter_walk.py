"""Every parameter of every address: an id that the reader may not see is answered like one that does not exist.

The parameters are found by looking on while pages read their query strings; one that is not in the table fails.
"""

import html
import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse, QueryDict
from django.test import Client

from accounts.audit.audit import Actor
from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import Invitation, Organization, User
from accounts.projects import attributes, projects
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import APIKey
from apikeys.scimtokens.scimtokens import create_scim_token
from billing.alerts import Budget, Delivery, WebhookEndpoint
from billing.models import Invoice
from tests.accounts.test_access_walk import project_patterns
from tests.accounts.walked import make_staff
from tests.database.undone import undone
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.parameters import OPEN_TO_THEIR_READERS, ORGANIZATION, PATH_PARAMETERS, PLAIN, QUERY_PARAMETERS, WORDS
from tests.usage.attributions import declare, say
from tests.world import LONG_AGO, World, make_world
from usage_dashboard.models import ScimGroup

ROLES = ("owner", "reader", "reader_without_visibility")
NEVER = {
    "model": "never-existed",
    "user": "user_00000000000000000",
    "api_key": "key_00000000000000000",
    "own_key": "key_00000000000000000",
    "admin_key": "adminkey_00000000000000000",
    "scim_token": "scimtoken_00000000000000000",
    "scim_group": "group_00000000000000000",
    "organization": "org_00000000000000000",
    "slug": "never",
    "invitation": "invite_00000000000000000",
    "project": "proj_00000000000000000",
    "attribute": "never",
    "endpoint": "999999999",
    "message": "999999999",
    "budget": "999999999",
    "invoice": "999999999",
    "used_project": "proj_00000000000000000",
    "value": "team:never",
}
MEANT = {"day": "2026-11-01", "list": "user", "last": "2026-11-01", "start": "2026-11-01"}  # values that lead on
SENT: dict[str, Any] = {"name": "x", "tracked": "off", "role": "reader", "overlap_hours": "1"}


class Watched(QueryDict):
    """A query string that remembers what it was asked for."""

    asked: set[str] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        before = set(self.asked)
        super().__init__(*args, **kwargs)  # which asks itself
        self.asked.intersection_update(before)

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def getlist(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().getlist(name, default)


NUMBER: Final = 987_654_321
"""An id that stands nowhere else on a page: small numbers do, in “utf-8” for one."""


Ids = dict[str, list[tuple[str, str]]]
"""Kind of parameter → (who must not see it, what exists all the same). Colleagues' are hidden from some readers alone."""


@pytest.fixture(scope="module")
def filled(kept: None) -> tuple[World, Ids]:
    """The world, and what there is in it, for all tests."""
    world = make_world()
    return world, make_ids(world)


@pytest.fixture
def world(db: None, filled: tuple[World, Ids]) -> World:
    return filled[0]


@pytest.fixture
def ids(db: None, filled: tuple[World, Ids]) -> Ids:
    return filled[1]


def make_ids(world: World) -> Ids:
    theirs = make_key(world.charlie, "Charlies key")
    bobs = make_key(world.bob, "Bobs key")
    untracked = make_key(world.bob, "Bobs untracked key", created_at=LONG_AGO)
    made = [(theirs, "their-model"), (bobs, "bobs-model"), (untracked, "bobs-model")]
    events = [
        make_event(id=key.name[:12].replace(" ", "-"), api_key_id=key.public_id, model=model) for key, model in made
    ]
    assert set(send(events, make_token())) == {"accepted"}
    ours, of_others = used_for(world)
    roll_up()
    with routing_change() as now:
        invitations.invite(
            organization=world.other,
            email="n@example.test",
            role="reader",
            invited_by=world.charlie,
            now=now,
            actor=Actor(),
        )
    with organization_change(world.other) as now:
        project = projects.make_project(organization=world.other, name="Secret plan")
        attributes.declare(organization=world.other, name="secret", title="Secret", now=now)
        projects.archive_project(project=project, now=now)
    return {
        "model": [("everyone", "their-model"), ("reader_without_visibility", "bobs-model")],
        "user": [("everyone", world.charlie.public_id), ("reader_without_visibility", world.bob.public_id)],
        "api_key": [
            ("everyone", theirs.public_id),
            ("reader_without_visibility", bobs.public_id),
            ("query", untracked.public_id),
            ("reader", untracked.public_id),
        ],
        "own_key": [("everyone", theirs.public_id), ("everyone", bobs.public_id)],
        **programs_of(world.other),
        "organization": [("everyone", world.other.public_id)],
        "slug": [("everyone", world.other.slug)],
        "invitation": [("everyone", Invitation.objects.get().public_id)],
        "project": [("everyone", project.public_id)],
        "attribute": [("everyone", "secret")],
        **messages_of(world.other),
        "budget": [("everyone", str(make_budget(world.other).pk))],
        "invoice": [("everyone", str(make_invoice(world.other).pk))],
        "used_project": [("everyone", of_others), ("reader_without_visibility", ours)],
        "value": [("everyone", "squad:theirs"), ("reader_without_visibility", "team:bobs")],
    }


def messages_of(organization: Organization) -> dict[str, list[tuple[str, str]]]:
    """A webhook of the organization, and a message that it was sent."""
    endpoint = WebhookEndpoint.objects.create(
        pk=NUMBER, organization=organization, url="https://hook.example.test", encrypted_secret="s"
    )
    message = Delivery.objects.create(pk=NUMBER, organization=organization, message_id="m", event_type="test", body="")
    return {"endpoint": [("everyone", str(endpoint.pk))], "message": [("everyone", str(message.pk))]}


def used_for(world: World) -> tuple[str, str]:
    """The ids of two projects, Bob's in Acme and Charlie's elsewhere, that the usage which waits is for; it has values too."""
    ours, theirs = (projects.make_project(organization=here, name="Used") for here in (world.acme, world.other))
    declare(world.acme, "team", "Team")
    declare(world.other, "squad", "Squad")
    say(world.bob, world.acme, ours, {"team": "bobs"})
    say(world.charlie, world.other, theirs, {"squad": "theirs"})
    return ours.public_id, theirs.public_id


def make_budget(organization: Organization) -> Budget:
    return Budget.objects.create(pk=NUMBER, organization=organization, amount=1)


def make_invoice(payer: Organization) -> Invoice:
    month = (database_now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
    return Invoice.objects.create(pk=NUMBER, payer=payer, month=month)


def programs_of(organization: Organization) -> dict[str, list[tuple[str, str]]]:
    """What lets programs of the organization in, and a group of its identity provider."""
    now = database_now()
    key, _ = create_admin_key(organization=organization, name="Theirs", scopes=["usage"], now=now)
    token, _ = create_scim_token(organization=organization, name="Theirs", now=now)
    group = ScimGroup.objects.create(organization=organization, name="Theirs", updated_at=now)
    made = {"admin_key": key.public_id, "scim_token": token.public_id, "scim_group": group.public_id}
    return {kind: [("everyone", public_id)] for kind, public_id in made.items()}


def client_as(world: World, role: str) -> Client:
    if role == "reader_without_visibility":
        Organization.objects.filter(pk=world.acme.pk).update(usage_visibility="owners_and_admins")
    client = Client()
    client.force_login(world.alice if role == "owner" else world.rita)
    return client


COLOR = r'data-color="[\w-]+"|var\(--[\w-]+\)'  # “other” is one, and a slug


def answer(client: Client, method: str, address: str, sent: dict[str, Any], *, value: str) -> tuple[int, str]:
    """Status and body of an address, without what differs each time and without the value itself."""
    with undone():
        response = client.get(address) if method == "GET" else client.post(address, sent)
        body = b"".join(response) if response.streaming else response.content
    text = f"{response.get('Location', '')} {body.decode()}"
    for fresh in (r'name="csrfmiddlewaretoken" value="\w+"', r"\d\d:\d\d:\d\d(\.\d+)?", r'data-live="[^"]*"', COLOR):
        text = re.sub(fresh, "", text)
    return response.status_code, re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "ID", html.unescape(text))


def path_parameters(pattern: str) -> Iterator[tuple[str, str]]:
    """(placeholder, kind) of each part of an address that names something; the organization's address comes first."""
    for placeholder in re.findall("<[a-z]+:[a-z_]+>", pattern):
        before = pattern.partition(placeholder)[0]
        fitting = [part for part in PATH_PARAMETERS if (before + placeholder).endswith(part)]
        if fitting and not (before + placeholder).endswith(OPEN_TO_THEIR_READERS):
            yield placeholder, PATH_PARAMETERS[max(fitting, key=len)]


def test_each_part_of_an_address_is_in_the_table() -> None:
    for pattern in project_patterns():
        placeholders = re.findall("<[a-z]+:[a-z_]+>", pattern)
        named = [placeholder for placeholder, _ in path_parameters(pattern)]
        rest = [placeholder for placeholder in placeholders if placeholder not in named]
        assert all((pattern.partition(part)[0] + part).endswith(OPEN_TO_THEIR_READERS) for part in rest), pattern
    assert set(QUERY_PARAMETERS) <= set(project_patterns())


def test_each_parameter_that_a_page_reads_is_in_the_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = property(lambda request: Watched(request.META.get("QUERY_STRING", "")))
    monkeypatch.setattr(WSGIRequest, "GET", watched)
    staff = Client()
    staff.force_login(make_staff(world.acme))
    clients = (client_as(world, "owner"), staff)
    key = make_key(world.alice)
    for pattern in project_patterns():
        address = "/" + pattern.replace("<slug:slug>", "acme").replace("<slug:public_id>", key.public_id)
        address = re.sub("<int:[a-z_]+>", "1", address)
        known = QUERY_PARAMETERS.get(pattern, {})
        if "<" in address:
            continue
        for query in ({}, *({name: MEANT.get(name, "1")} for name in known)):
            for client in clients:
                Watched.asked.clear()
                client.get(address, query)
                assert Watched.asked <= set(known), (pattern, query)


@pytest.mark.parametrize("pattern", QUERY_PARAMETERS)
def test_a_foreign_id_in_a_query_string_reads_like_none(world: World, ids: Ids, pattern: str) -> None:
    for role in ROLES:
        with undone():
            require_alike_queries(world, ids, pattern, role)


def require_alike_queries(world: World, ids: Ids, pattern: str, role: str) -> None:
    client = client_as(world, role)
    own_key = make_key(world.alice if role == "owner" else world.rita)
    address = "/" + pattern.replace("<slug:slug>", "acme").replace("<slug:public_id>", own_key.public_id)
    for name, kind in QUERY_PARAMETERS[pattern].items():
        kinds = {PLAIN: (), WORDS: ("user", "api_key", "organization", "slug")}.get(kind, (kind,))
        hidden = {"everyone", role, *(() if kind == WORDS else ("query",))}
        for found, beside in itertools.product(kinds, ("", "list=user&", "list=api_key&") if name == "q" else ("",)):
            if values := [value for hidden_from, value in ids[found] if hidden_from in hidden]:
                asked = f"{address}?{beside}{name}="
                expected = answer(client, "GET", f"{asked}{NEVER[found]}", {}, value=NEVER[found])
                for value in values:
                    assert answer(client, "GET", f"{asked}{value}", {}, value=value) == expected, (role, name, value)


@pytest.mark.parametrize("pattern", [pattern for pattern in project_patterns() if any(path_parameters(pattern))])
def test_a_foreign_id_in_an_address_reads_like_none(world: World, ids: Ids, pattern: str) -> None:
    for role in ROLES:
        with undone():
            require_alike_addresses(world, ids, pattern, role)


def require_alike_addresses(world: World, ids: Ids, pattern: str, role: str) -> None:
    client = client_as(world, role)
    parts = dict(path_parameters(pattern))
    for part, kind in parts.items():
        others = {**{other: NEVER[found] for other, found in parts.items()}, "<slug:slug>": "acme"}
        for value in (value for hidden_from, value in ids[kind] if hidden_from in ("everyone", role)):
            for method in ("GET", "POST"):
                answers = []
                for tried in (value, NEVER[kind]):
                    address = "/" + pattern
                    for placeholder, filled in {**others, part: tried}.items():
                        address = address.replace(placeholder, filled)
                    answers.append(answer(client, method, address, SENT, value=tried))
                assert answers[0] == answers[1], (role, method, part, value)


def test_an_email_that_is_not_shown_finds_nobody(world: World, ids: Ids) -> None:
    client = client_as(world, "owner")
    for page in ("activity", "cost"):
        address = f"/{ORGANIZATION.replace('<slug:slug>', 'acme')}usage/{page}/?list=user&q="
        assert "Bob Byrd" in answer(client, "GET", f"{address}byrd", {}, value="byrd")[1]
        assert "Bob Byrd" not in answer(client, "GET", f"{address}bob@acme.test", {}, value="bob@acme.test")[1]


def test_the_tag_of_a_page_tells_nothing_of_others_to_who_sees_their_own_usage(world: World, ids: Ids) -> None:
    client = client_as(world, "reader_without_visibility")
    ritas, bobs = make_key(world.rita, "Ritas"), make_key(world.bob, "Another of Bobs")

    def use(key: APIKey, number: object) -> None:
        send([make_event(id=f"later-{number}", api_key_id=key.public_id)], make_token(f"token {number}"))
        roll_up()

    use(ritas, 1)
    for page in ("activity", "cost"):
        address = f"/{ORGANIZATION.replace('<slug:slug>', 'acme')}usage/{page}/"
        tag = client.get(address)["ETag"]
        use(bobs, f"a{page}")
        User.objects.filter(pk=world.bob.pk).update(name=f"Bob {page}")
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304, page
        use(ritas, f"b{page}")
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 200, page


def test_nobody_keeps_a_copy_of_an_answer(world: World) -> None:
    client = client_as(world, "owner")
    for pattern in project_patterns():
        if "<" not in pattern.replace("<slug:slug>", ""):
            assert "no-store" in client.get("/" + pattern.replace("<slug:slug>", "acme"))["Cache-Control"], pattern
    for address in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/admin/", "/nowhere/"):
        response: HttpResponse = Client().get(address)  # type: ignore[assignment]
        assert "no-store" in response["Cache-Control"], address
