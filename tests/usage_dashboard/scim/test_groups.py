"""`/scim/v2/Groups`: groups come from the provider, and owners choose which role each of them gives."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.models import AuditEvent, Invitation, Membership, Organization, User
from accounts.organizations.organizations import locked
from tests.usage_dashboard.scim.conftest import GROUP, Ask, patch, person
from tests.usage_dashboard.scim.test_people import roles
from tests.world import LONG_AGO, World
from usage_dashboard.models import ScimGroup
from usage_dashboard.scim import groups

PAGE = "/settings/organization/acme/provisioning/"
EXACT = 'displayName eq "Platform"'


def group(name: str, *ids: str) -> dict[str, Any]:
    return {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in ids]}


def give(client: Any, group_id: str, role: str) -> str:
    """As an owner of the organization does it, who says yes where they are asked."""
    page = client.post(f"{PAGE}groups/{group_id}/role/", {"role": role, "confirmed": "on"}, follow=True)
    return " ".join(page.content.decode().split())


def invite(organization: Organization, email: str, *, by: User, role: str) -> None:
    now = database_now()
    Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        digest=b"digest",
        invited_by=by,
        created_at=now,
        sent_at=now,
        expires_at=now + timedelta(days=7),
    )


def test_a_group_gives_nobody_a_role_until_an_owner_says_so(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id))
    assert made.status_code == 201, made.content
    assert [one["value"] for one in made.json()["members"]] == [world.rita.public_id]
    assert roles(world)["rita@acme.test"] == "reader"
    assert "is saved" in give(client_of(world.alice), made.json()["id"], "admin")
    assert roles(world)["rita@acme.test"] == "admin"
    (seen,) = acme("GET", f"/Users/{world.rita.public_id}").json()["groups"]
    assert seen["display"] == "Platform"
    assert acme("DELETE", f"/Groups/{made.json()['id']}").status_code == 204
    assert roles(world)["rita@acme.test"] == "reader"


def test_members_come_and_go_in_the_shapes_of_entra_and_okta(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Admins")).json()
    give(client_of(world.alice), made["id"], "admin")
    address, rita = f"/Groups/{made['id']}", world.rita.public_id
    added = acme("PATCH", address, patch({"op": "Add", "path": "members", "value": [{"value": rita}]}))
    assert added.status_code in {200, 204}, added.content
    assert roles(world)["rita@acme.test"] == "admin"
    removed = acme("PATCH", address, patch({"op": "Remove", "path": f'members[value eq "{rita}"]'}))
    assert removed.status_code in {200, 204}, removed.content
    assert roles(world)["rita@acme.test"] == "reader"
    acme("PATCH", address, patch({"op": "add", "path": "members", "value": [{"value": rita}]}))
    entra = acme("PATCH", address, patch({"op": "Remove", "path": "members", "value": [{"value": rita}]}))
    assert entra.status_code in {200, 204}, entra.content
    assert roles(world)["rita@acme.test"] == "reader"
    renamed = acme("PATCH", address, patch({"op": "replace", "value": {"id": made["id"], "displayName": "Chiefs"}}))
    assert renamed.status_code in {200, 204}, renamed.content
    (found,) = acme("GET", "/Groups", filter='displayName eq "Chiefs"', excludedAttributes="members").json()[
        "Resources"
    ]
    assert "members" not in found


def test_before_a_group_makes_owners_the_page_asks(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id, world.bob.public_id)).json()
    client, address = client_of(world.alice), f"{PAGE}groups/{made['id']}/role/"
    asked = client.post(f"{address}?groups=2", {"role": "owner"})
    page = " ".join(asked.content.decode().split())
    assert "Make the people of “<bdi>Platform</bdi>” owners of <bdi>Acme</bdi>?" in page
    assert "The group has 2 people now" in page
    assert f'href="{PAGE}?groups=2"' in page
    assert roles(world)["rita@acme.test"] == "reader"
    client.post(address, {"role": "owner", "confirmed": "on"})
    assert roles(world)["rita@acme.test"] == roles(world)["bob@acme.test"] == "owner"
    assert client.post(address, {"role": "owner"}).status_code == 302  # it is so already


def test_the_highest_role_of_several_groups_counts(world: World, acme: Ask, client_of: Any) -> None:
    for name, role in (("Everyone", "reader"), ("Owners", "owner")):
        made = acme("POST", "/Groups", group(name, world.rita.public_id)).json()
        give(client_of(world.alice), made["id"], role)
    assert roles(world)["rita@acme.test"] == "owner"
    assert roles(world)["alice@acme.test"] == "owner"  # in no group: keeps her own


def test_the_last_owner_is_not_demoted(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Everyone", world.alice.public_id)).json()
    assert "last owner" in give(client_of(world.alice), made["id"], "reader")
    assert roles(world)["alice@acme.test"] == "owner"
    assert ScimGroup.objects.get().role == ""


def test_a_role_for_many_takes_as_many_statements_as_for_few(world: World, acme: Ask, client_of: Any) -> None:
    """Locking the organization all the while, so that nobody else waits long for it."""
    number: list[int] = []
    for size in (3, 60):
        people = User.objects.bulk_create(
            User(email=f"{size}-{n}@acme.test", default_organization=world.acme) for n in range(size)
        )
        Membership.objects.bulk_create(
            Membership(user=one, organization=world.acme, role="reader", joined_at=LONG_AGO) for one in people
        )
        made = acme("POST", "/Groups", group(f"All {size}", *(one.public_id for one in people))).json()
        with CaptureQueriesContext(connection) as asked:
            give(client_of(world.alice), made["id"], "admin")
        number.append(len(asked))
        of_them = Membership.objects.filter(user__in=people)
        assert set(of_them.values_list("role", flat=True)) == {"admin"}
        events = AuditEvent.objects.filter(target_id__in=[one.public_id for one in people])
        assert [one.details for one in events] == [{"role": "admin", "role_before": "reader"}] * size
    assert number[1] <= number[0]


def test_invitations_that_a_group_forbids_end(world: World, acme: Ask, client_of: Any) -> None:
    """Bob was an admin who had invited an admin, and is a reader by his group."""
    invite(world.acme, "new@acme.test", by=world.bob, role="admin")
    made = acme("POST", "/Groups", group("Everyone", world.bob.public_id)).json()
    give(client_of(world.alice), made["id"], "admin")
    assert Invitation.objects.get().revoked_at is None
    give(client_of(world.alice), made["id"], "reader")
    assert Invitation.objects.get().revoked_at is not None


def test_owners_change_places_in_one_go(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Owners", world.alice.public_id)).json()
    give(client_of(world.alice), made["id"], "owner")
    members = [{"value": world.rita.public_id}]
    said = {"schemas": [GROUP], "displayName": "Owners", "members": members}
    assert acme("PUT", f"/Groups/{made['id']}", said).status_code == 200
    assert (roles(world)["rita@acme.test"], roles(world)["alice@acme.test"]) == ("owner", "reader")
    refused = acme("PUT", f"/Groups/{made['id']}", {**said, "members": []})
    assert refused.status_code == 400
    assert "rita@acme.test is the last owner" in refused.json()["detail"]
    assert roles(world)["rita@acme.test"] == "owner"


def test_who_comes_back_has_the_role_of_their_groups(world: World, acme: Ask, client_of: Any) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id)).json()
    give(client_of(world.alice), made["id"], "admin")
    for active in (False, True):
        acme("PATCH", f"/Users/{world.rita.public_id}", patch({"op": "replace", "value": {"active": active}}))
    assert roles(world)["rita@acme.test"] == "admin"


def test_people_of_others_are_no_members(world: World, acme: Ask, other: Ask, client_of: Any) -> None:
    assert acme("POST", "/Groups", group("Spies", world.charlie.public_id)).status_code == 400
    assert acme("POST", "/Groups", group("Spies", "user_nobody")).status_code == 400
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id)).json()
    assert other("GET", f"/Groups/{made['id']}").status_code == 404
    assert other("DELETE", f"/Groups/{made['id']}").status_code == 404
    assert client_of(world.charlie).post(f"{PAGE}groups/{made['id']}/role/", {"role": "owner"}).status_code == 404
    for reader in (world.rita, world.bob):
        assert client_of(reader).post(f"{PAGE}groups/{made['id']}/role/", {"role": "owner"}).status_code == 403
    assert Membership.objects.filter(organization=world.other, left_at__isnull=True).count() == 1


def test_two_groups_cannot_have_one_name(world: World, acme: Ask) -> None:
    assert acme("POST", "/Groups", group("Platform")).status_code == 201
    assert acme("POST", "/Groups", group("PLATFORM")).status_code == 409
    assert acme("POST", "/Users", person("nora@acme.test")).status_code == 201


@pytest.mark.parametrize("act", ["PUT", "PATCH", "DELETE", "role"])
def test_a_group_that_another_request_deletes_meanwhile_is_gone(
    world: World, acme: Ask, client_of: Any, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Deleted after it was found, before the organization is locked."""
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id)).json()
    owner = client_of(world.alice)

    def locked_late(organization: Organization) -> Organization:
        row = ScimGroup.objects.get(public_id=made["id"])
        row.people.clear()
        row.delete()
        monkeypatch.setattr(groups, "locked", locked)
        return locked(organization)

    monkeypatch.setattr(groups, "locked", locked_late)
    if act == "role":
        assert "has been deleted" in give(owner, made["id"], "admin")
    else:
        body = {"PUT": group("Platform"), "PATCH": patch({"op": "replace", "value": {"displayName": "Chiefs"}})}
        assert acme(act, f"/Groups/{made['id']}", body.get(act)).status_code == 404
    assert roles(world)["rita@acme.test"] == "reader"


@pytest.mark.parametrize(
    ("query", "are_read"),
    [
        ({}, True),
        ({"attributes": "displayName,members.value"}, True),
        ({"excludedAttributes": "members.display"}, True),
        ({"excludedAttributes": "Members"}, False),
        ({"excludedAttributes": "urn:ietf:params:scim:schemas:core:2.0:Group:members"}, False),
        ({"attributes": "displayName"}, False),
    ],
)
def test_members_are_read_for_answers_that_have_them(
    world: World, acme: Ask, query: dict[str, str], are_read: bool
) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id))
    asked = ({"path": f"/Groups/{made.json()['id']}"}, {"path": "/Groups"}, {"path": "/Groups", "filter": EXACT})
    for one in asked:
        with CaptureQueriesContext(connection) as queries:
            answer = acme("GET", **one, **query)
        shown = answer.json().get("Resources", [answer.json()])[0]
        assert ("members" in shown) is are_read
        assert any("usage_dashboard_scimgroup_people" in each["sql"] for each in queries) is are_read
        if "meta" in shown:
            assert shown["meta"]["version"] == made["ETag"]


def test_a_group_has_another_version_when_a_member_goes(world: World, acme: Ask) -> None:
    made = acme("POST", "/Groups", group("Platform", world.rita.public_id))
    address, versions = f"/Groups/{made.json()['id']}", [made["ETag"]]
    acme("PATCH", address, patch({"op": "add", "path": "members", "value": [{"value": world.bob.public_id}]}))
    versions.append(acme("GET", address)["ETag"])
    acme("DELETE", f"/Users/{world.rita.public_id}")
    versions.append(acme("GET", address)["ETag"])
    assert len(set(versions)) == 3
