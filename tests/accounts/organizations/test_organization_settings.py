"""Organizations: made, renamed, left; who sees the usage; parent and children."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, Membership, Organization, User
from tests.world import World, join

SignIn = Callable[[User], Client]
MINE = "/settings/organizations/"
ACME = "/settings/organization/acme/"


def test_a_new_organization_is_owned_by_who_makes_it(world: World, client_of: SignIn) -> None:
    answer = client_of(world.rita).post(MINE, {"name": "Rita & Söhne 🦉"})
    made = Organization.objects.get(name="Rita & Söhne 🦉")
    assert answer["Location"] == f"/settings/organization/{made.slug}/"
    assert Membership.objects.get(organization=made).role == "owner"
    assert AuditEvent.objects.filter(event="organization.created", organization=made, actor=world.rita).exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\x00b", "a\u2028b"])
def test_a_bad_name_is_refused_with_a_sentence(world: World, client_of: SignIn, name: str) -> None:
    for address, user in ((MINE, world.rita), (f"{ACME}name/", world.alice)):
        assert "field-error" in client_of(user).post(address, {"name": name}).content.decode()
    assert Organization.objects.count() == 4
    assert Organization.objects.get(slug="acme").name == "Acme"


def test_an_owner_renames_the_organization_and_its_address_stays(world: World, client_of: SignIn) -> None:
    client_of(world.alice).post(f"{ACME}name/", {"name": "<b>مؤسسة</b>"})
    assert Organization.objects.get(slug="acme").name == "<b>مؤسسة</b>"
    assert "<b>مؤسسة" not in client_of(world.alice).get(ACME).content.decode()


def test_an_owner_decides_who_sees_the_usage(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    client.post(f"{ACME}usage-visibility/", {"usage_visibility": "owners_and_admins"})
    assert Organization.objects.get(slug="acme").usage_visibility == "owners_and_admins"
    client.post(f"{ACME}usage-visibility/", {"usage_visibility": "nobody"})
    assert Organization.objects.get(slug="acme").usage_visibility == "owners_and_admins"
    assert AuditEvent.objects.filter(event="organization.updated").count() == 1


@pytest.mark.parametrize("who", ["bob", "rita"])
def test_others_change_no_settings_and_see_no_forms(world: World, client_of: SignIn, who: str) -> None:
    client = client_of(getattr(world, who))
    assert "Save name" not in client.get(ACME).content.decode()
    assert client.post(f"{ACME}name/", {"name": "Mine"}).status_code == 403
    assert client.post(f"{ACME}usage-visibility/", {"usage_visibility": "any_role"}).status_code == 403


def test_a_person_leaves_after_a_question_and_the_default_moves(world: World, client_of: SignIn) -> None:
    join(world.rita, world.labs, role="reader")
    client = client_of(world.rita)
    assert "default organization" in client.get(f"{ACME}departure/").content.decode()
    assert client.post(f"{ACME}departure/")["Location"] == MINE
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.labs
    assert client.get(ACME).status_code == 404


@pytest.mark.parametrize(("who", "reason"), [("alice", "last owner"), ("rita", "only organization")])
def test_a_departure_that_the_rules_forbid_is_explained(world: World, client_of: SignIn, who: str, reason: str) -> None:
    answer = client_of(getattr(world, who)).post(f"{ACME}departure/")
    assert answer.status_code == 409
    assert reason in answer.content.decode()


def test_the_parents_owner_sees_the_children_and_others_do_not(world: World, client_of: SignIn) -> None:
    assert "Acme Labs" in client_of(world.alice).get(ACME).content.decode()
    assert "Acme Labs" not in client_of(world.rita).get(ACME).content.decode()
    join(world.rita, world.labs, role="owner")
    page = client_of(world.rita).get("/settings/organization/acme-labs/").content.decode()
    assert "Billed to" in page


def test_the_list_shows_roles_and_the_default(world: World, client_of: SignIn) -> None:
    join(world.rita, world.labs, role="admin")
    page = client_of(world.rita).get(MINE).content.decode()
    assert page.count("Leave…") == 2
    assert "Default" in page
