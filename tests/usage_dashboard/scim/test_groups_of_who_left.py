"""`/scim/v2/Groups`, when people are put out of the organization by others than the identity provider."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from accounts.changes import routing_change
from accounts.models import User
from accounts.organizations.organizations import add_member
from tests.provisioning import operator
from tests.usage_dashboard.scim.conftest import Ask, patch, person
from tests.usage_dashboard.scim.test_groups import give, group
from tests.usage_dashboard.scim.test_people import roles
from tests.world import World
from usage_dashboard.models import ScimGroup

PutOut = Callable[[User], None]


def by_an_owner(world: World, client_of: Any) -> PutOut:
    def put_out(user: User) -> None:
        address = f"/settings/organization/acme/members/{user.public_id}/removal/"
        assert client_of(world.alice).post(address).status_code == 302

    return put_out


def by_themselves(world: World, client_of: Any) -> PutOut:
    def put_out(user: User) -> None:
        assert client_of(user).post("/settings/organization/acme/departure/").status_code == 302

    return put_out


def by_the_operator(world: World, client_of: Any) -> PutOut:
    def put_out(user: User) -> None:
        User.objects.filter(pk=user.pk).update(external_id=user.public_id)
        assert operator().end(f"users/{user.public_id}")[0] == 200

    return put_out


def members(acme: Ask, group_id: str) -> list[str]:
    """Of the group alone, of the list of all, and of what each of the people says: these agree."""
    seen = [one["value"] for one in acme("GET", f"/Groups/{group_id}").json().get("members", [])]
    (listed,) = acme("GET", "/Groups").json()["Resources"]
    said = [one["id"] for one in acme("GET", "/Users").json()["Resources"] if one.get("groups")]
    assert [one["value"] for one in listed.get("members", [])] == seen
    assert sorted(said) == sorted(seen)
    return seen


@pytest.fixture
def nora(world: World, acme: Ask) -> User:
    """Whom the provider has made; of Rita it has said nothing."""
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    user = User.objects.get(public_id=made["id"])
    add_elsewhere(world, user)
    return user


def add_elsewhere(world: World, user: User) -> None:
    """So that they may leave Acme by themselves."""
    with routing_change(user) as now:
        add_member(organization=world.labs, user=user, role="reader", now=now)


@pytest.mark.parametrize("put_out_by", [by_an_owner, by_themselves, by_the_operator])
def test_who_is_put_out_is_in_no_group_any_more(
    world: World, acme: Ask, client_of: Any, nora: User, put_out_by: Any
) -> None:
    add_elsewhere(world, world.rita)
    everybody = (nora.public_id, world.rita.public_id, world.bob.public_id)
    made = acme("POST", "/Groups", group("Platform", *everybody))
    group_id, versions = made.json()["id"], {made["ETag"]}
    for gone in (nora, world.rita):
        put_out_by(world, client_of)(gone)
        assert gone.public_id not in members(acme, group_id)
        versions.add(acme("GET", f"/Groups/{group_id}")["ETag"])
    assert members(acme, group_id) == [world.bob.public_id]
    assert len(versions) == 3
    page = client_of(world.alice).get("/settings/organization/acme/provisioning/").content.decode()
    assert '<td data-label="People" class="number">1</td>' in page


@pytest.mark.parametrize(
    "change",
    [
        lambda gone, _: {"op": "Remove", "path": f'members[value eq "{gone}"]'},
        lambda gone, _: {"op": "Remove", "path": "members", "value": [{"value": gone}]},
        lambda gone, new: {"op": "Add", "path": "members", "value": [{"value": gone}, {"value": new}]},
        lambda gone, new: {"op": "replace", "path": "members", "value": [{"value": gone}, {"value": new}]},
        lambda _, new: {"op": "add", "path": "members", "value": [{"value": new}]},
        lambda _, __: {"op": "replace", "value": {"displayName": "Chiefs"}},
    ],
)
def test_what_the_provider_sends_after_that_is_taken(
    world: World, acme: Ask, client_of: Any, nora: User, change: Any
) -> None:
    """It does not know yet that Rita has gone."""
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id)).json()
    add_elsewhere(world, world.rita)
    by_an_owner(world, client_of)(world.rita)
    operation = change(world.rita.public_id, nora.public_id)
    answer = acme("PATCH", f"/Groups/{made['id']}", patch(operation))
    assert answer.status_code in {200, 204}, answer.content
    assert members(acme, made["id"]) == ([nora.public_id] if nora.public_id in str(operation) else [])


def test_a_whole_group_is_put_with_whoever_is_there(world: World, acme: Ask, client_of: Any, nora: User) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id)).json()
    add_elsewhere(world, world.rita)
    by_an_owner(world, client_of)(world.rita)
    both = group("Platform", world.rita.public_id, nora.public_id)
    answer = acme("PUT", f"/Groups/{made['id']}", both)
    assert answer.status_code == 200, answer.content
    assert [one["value"] for one in answer.json()["members"]] == [nora.public_id]
    again = acme("POST", "/Groups", both | {"displayName": "Others"})
    assert [one["value"] for one in again.json()["members"]] == [nora.public_id]
    strangers = group("Platform", world.charlie.public_id)
    assert acme("PUT", f"/Groups/{made['id']}", strangers).status_code == 400


def test_who_was_put_out_by_hand_comes_back_with_what_the_provider_says_then(
    world: World, acme: Ask, client_of: Any, nora: User
) -> None:
    made = acme("POST", "/Groups", group("Admins", nora.public_id)).json()
    give(client_of(world.alice), made["id"], "admin")
    by_an_owner(world, client_of)(nora)
    acme("PATCH", f"/Users/{nora.public_id}", patch({"op": "replace", "value": {"active": True}}))
    assert roles(world)["nora@acme.test"] == "reader"
    acme("PUT", f"/Groups/{made['id']}", group("Admins", nora.public_id))
    assert roles(world)["nora@acme.test"] == "admin"
    assert members(acme, made["id"]) == [nora.public_id]


def test_whom_the_provider_puts_out_stays_in_its_group(world: World, acme: Ask, nora: User) -> None:
    made = acme("POST", "/Groups", group("Platform", nora.public_id)).json()
    acme("PATCH", f"/Users/{nora.public_id}", patch({"op": "replace", "value": {"active": False}}))
    assert members(acme, made["id"]) == [nora.public_id]


def test_the_upgrade_ends_what_was_left_of_who_had_gone(world: World, acme: Ask, client_of: Any, nora: User) -> None:
    acme("POST", "/Groups", group("Platform", nora.public_id, world.rita.public_id, world.bob.public_id))
    acme("PATCH", f"/Users/{nora.public_id}", patch({"op": "replace", "value": {"active": False}}))
    add_elsewhere(world, world.rita)
    by_an_owner(world, client_of)(world.rita)
    ScimGroup.objects.get().people.add(world.rita)
    upgrade = import_module("usage_dashboard.migrations.0006_people_who_are_out_of_groups").LEAVE_GROUPS
    with connection.cursor() as cursor:
        cursor.execute(upgrade)
    assert set(ScimGroup.objects.get().people.all()) == {nora, world.bob}
