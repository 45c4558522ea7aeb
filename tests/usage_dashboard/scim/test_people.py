"""`/scim/v2/Users`: an identity provider says who is in its organization, and nothing about anybody else."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django import Settings

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.models import AuditEvent, Membership, User
from accounts.people.support import deactivate, reactivate
from apikeys.models import APIKey
from tests.engine import make_key
from tests.usage_dashboard.scim.conftest import GROUP, USER, Ask, patch, person
from tests.world import LONG_AGO, PASSWORD, World, make_user
from usage_dashboard.models import MailDomain, ScimPerson

MEMBERS = {"left_at__isnull": True}


def roles(world: World) -> dict[str, str]:
    current = Membership.objects.filter(organization=world.acme, left_at__isnull=True)
    return dict(current.values_list("user__email", "role"))


def active(ask: Ask, user_id: str, value: bool) -> Any:
    return ask("PATCH", f"/Users/{user_id}", patch({"op": "replace", "value": {"active": value}}))


def test_a_new_person_comes_in_as_a_reader_whose_usage_counts_here(world: World, acme: Ask) -> None:
    made = acme(
        "POST",
        "/Users",
        person(
            "Nora@ACME.test",
            externalId="00u1",
            name={"givenName": "Nora", "familyName": "Ng"},
            emails=[{"value": "nora@acme.test", "primary": True, "type": "work"}],
            active=True,
            password="ignored-and-not-kept",
        ),
    )
    assert made.status_code == 201
    assert made["Content-Type"].startswith("application/scim+json")
    body = made.json()
    assert (body["userName"], body["externalId"], body["active"]) == ("Nora@ACME.test", "00u1", True)
    assert body["name"]["givenName"] == "Nora"
    assert "ignored-and-not-kept" not in made.content.decode()
    assert made["Location"] == body["meta"]["location"]
    nora = User.objects.get(email="nora@acme.test")
    assert (nora.public_id, nora.name, nora.default_organization) == (body["id"], "Nora Ng", world.acme)
    assert not nora.has_usable_password()
    assert (nora.is_staff, nora.is_superuser) == (False, False)
    assert EmailAddress.objects.get(user=nora).verified
    assert roles(world)["nora@acme.test"] == "reader"
    added = AuditEvent.objects.get(event="user.added", target_id=nora.public_id)
    assert added.actor_name.startswith("SCIM token “Okta”")
    assert acme("GET", f"/Users/{body['id']}").json() == body


@pytest.mark.parametrize(
    "filter_by", ['userName eq "RITA@acme.test"', 'emails.value eq "rita@acme.test"', 'emails[type eq "x"] or userName sw "rita"']
)  # fmt: skip
def test_a_present_member_is_found_and_taken_over_not_doubled(world: World, acme: Ask, filter_by: str) -> None:
    (found,) = acme("GET", "/Users", filter=filter_by).json()["Resources"]
    assert found["id"] == world.rita.public_id
    assert acme("POST", "/Users", person("rita@acme.test")).status_code == 409
    said = acme("PUT", f"/Users/{found['id']}", person("rita@acme.test", externalId="00u2", displayName="R. Rao"))
    assert said.status_code == 200
    (again,) = acme("GET", "/Users", filter='externalId eq "00u2"').json()["Resources"]
    assert again["id"] == found["id"]
    world.rita.refresh_from_db()
    assert world.rita.name == "Rita Rao"  # an account of her own keeps its name
    assert roles(world)["rita@acme.test"] == "reader"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"active": False}},  # as Okta sends it
        {"op": "Replace", "path": "active", "value": "False"},  # as Entra does
        {"op": "replace", "path": "active", "value": False},
    ],
)
def test_who_is_put_out_leaves_this_organization_and_their_history_stays(
    world: World, acme: Ask, client_of: Any, operation: dict[str, Any]
) -> None:
    client: Client = client_of(world.rita)
    page = "/settings/organization/acme/usage/activity/"
    assert client.get(page).status_code == 200
    answer = acme("PATCH", f"/Users/{world.rita.public_id}", patch(operation))
    assert answer.status_code in {200, 204}, answer.content
    assert client.get(page).status_code == 404
    assert "rita@acme.test" not in roles(world)
    assert Membership.objects.get(organization=world.acme, user=world.rita).left_at is not None
    assert acme("GET", f"/Users/{world.rita.public_id}").json()["active"] is False
    acme("PATCH", f"/Users/{world.rita.public_id}", patch({"op": "replace", "value": {"active": True}}))
    assert acme("GET", f"/Users/{world.rita.public_id}").json()["active"] is True
    assert roles(world)["rita@acme.test"] == "reader"


def test_who_is_put_out_and_taken_in_again_and_again_has_to_wait_a_day(
    world: World, acme: Ask, settings: Settings
) -> None:
    settings.JOINS_PER_DAY = 2
    rita = world.rita.public_id
    for _ in range(2):
        assert active(acme, rita, False).status_code in {200, 204}
        assert active(acme, rita, True).status_code in {200, 204}
    assert active(acme, rita, False).status_code in {200, 204}
    refused = active(acme, rita, True)
    assert refused.status_code == 400
    assert "limit of a day" in refused.json()["detail"]
    assert "rita@acme.test" not in roles(world)


def test_an_account_that_was_made_here_is_signed_out_when_its_last_organization_ends(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    nora = User.objects.get(email="nora@acme.test")
    nora.set_password(PASSWORD)
    nora.save(update_fields=["password"])
    client = Client()
    client.post("/accounts/login/", {"login": nora.email, "password": PASSWORD})
    assert client.get("/settings/profile/").status_code == 200
    assert acme("DELETE", f"/Users/{made['id']}").status_code == 204
    assert client.get("/settings/profile/").status_code == 302
    assert acme("GET", f"/Users/{made['id']}").status_code == 404
    assert acme("POST", "/Users", person("nora@acme.test")).json()["id"] == made["id"]
    nora.refresh_from_db()
    assert (nora.is_active, nora.default_organization) == (True, world.acme)
    assert client.get("/settings/profile/").status_code == 302


def test_keys_end_with_an_account_that_is_closed_and_with_no_other(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    key, ritas = make_key(User.objects.get(public_id=made["id"])), make_key(world.rita)
    for user_id in (made["id"], world.rita.public_id):
        active(acme, user_id, False)
        active(acme, user_id, True)
    assert APIKey.objects.get(pk=key.pk).revoked_at is not None
    assert APIKey.objects.get(pk=ritas.pk).revoked_at is None
    assert AuditEvent.objects.get(event="api_key.deleted").organization == world.acme


def test_a_person_who_is_elsewhere_too_stays_signed_in_there(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    nora = User.objects.get(email="nora@acme.test")
    Membership.objects.create(organization=world.other, user=nora, role="reader", joined_at=nora.created_at)
    assert acme("DELETE", f"/Users/{made['id']}").status_code == 204
    nora.refresh_from_db()
    assert (nora.is_active, nora.default_organization) == (True, world.other)


@pytest.mark.parametrize(
    "change",
    [
        ("PUT", person("rita@acme.test", title="CTO")),
        ("PUT", person("rita@acme.test", title="CTO", active=None)),
        ("PATCH", patch({"op": "replace", "value": {"title": "CTO"}})),
        ("PATCH", patch({"op": "remove", "path": "active"}, {"op": "replace", "path": "title", "value": "CTO"})),
    ],
)
@pytest.mark.parametrize("is_in", [True, False])
def test_who_is_in_stays_as_it_is_where_nothing_is_said_of_it(
    world: World, acme: Ask, change: tuple[str, Any], is_in: bool
) -> None:
    active(acme, world.rita.public_id, False)
    active(acme, world.rita.public_id, is_in)
    method, body = change
    answer = acme(method, f"/Users/{world.rita.public_id}", body)
    assert answer.status_code in {200, 204}, answer.content
    shown = acme("GET", f"/Users/{world.rita.public_id}").json()
    assert (shown["title"], shown["active"]) == ("CTO", is_in)
    assert ("rita@acme.test" in roles(world)) is is_in


def test_an_account_that_staff_closed_stays_closed(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    nora = User.objects.get(public_id=made["id"])
    deactivate(nora, actor=SYSTEM_ACTOR)
    assert active(acme, made["id"], False).status_code in {200, 204}
    refused = active(acme, made["id"], True)
    assert refused.status_code in {400, 403, 409}
    assert "Ask the operator" in refused.json()["detail"]
    nora.refresh_from_db()
    assert not nora.is_active
    assert "nora@acme.test" not in roles(world)


def test_an_account_that_staff_opened_and_closed_after_the_provider_did_stays_closed(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    active(acme, made["id"], False)
    ScimPerson.objects.update(closed_at=LONG_AGO)
    nora = User.objects.get(public_id=made["id"])
    reactivate(nora, actor=SYSTEM_ACTOR)
    deactivate(nora, actor=SYSTEM_ACTOR)
    assert active(acme, made["id"], True).status_code in {400, 403, 409}
    assert not User.objects.get(pk=nora.pk).is_active


def test_an_account_that_was_made_closed_opens_with_its_provider(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test", active=False)).json()
    assert not User.objects.get(public_id=made["id"]).is_active
    assert active(acme, made["id"], True).status_code in {200, 204}
    assert User.objects.get(public_id=made["id"]).is_active
    assert roles(world)["nora@acme.test"] == "reader"


def test_of_who_is_out_the_provider_reads_what_it_said_itself(world: World, acme: Ask) -> None:
    rita = f"/Users/{world.rita.public_id}"
    acme("POST", "/Groups", {"schemas": [GROUP], "displayName": "All", "members": [{"value": world.rita.public_id}]})
    active(acme, world.rita.public_id, False)
    User.objects.filter(pk=world.rita.pk).update(email="rita@private.test", name="R. Private")
    answers = [
        acme("GET", rita),
        acme("GET", "/Users"),
        acme("GET", "/Groups"),
        acme("GET", "/Users", filter='userName eq "RITA@acme.test"'),
        acme("PUT", rita, person("Rita@acme.test", title="CTO")),
        acme("PUT", rita, person("rita.rao@acme.test", active=True)),
    ]
    assert "private" not in "".join(answer.content.decode().lower() for answer in answers)
    assert answers[0].json()["userName"] == "rita@acme.test"
    assert answers[2].json()["Resources"][0]["members"][0]["display"] == "rita@acme.test"
    assert answers[3].json()["totalResults"] == 1
    assert [answer.status_code for answer in answers[4:]] == [200, 400]
    assert acme("GET", "/Users", filter='userName eq "rita@private.test"').json()["totalResults"] == 0


def test_of_who_is_in_the_provider_reads_the_address_that_they_have(world: World, acme: Ask) -> None:
    acme("PUT", f"/Users/{world.rita.public_id}", person("rita@acme.test"))
    User.objects.filter(pk=world.rita.pk).update(email="rao@acme.test")
    (found,) = acme("GET", "/Users", filter='userName eq "rao@acme.test"').json()["Resources"]
    assert (found["id"], found["userName"]) == (world.rita.public_id, "rao@acme.test")


def test_an_account_of_a_colleague_is_taken_in_with_its_own_default_and_name(world: World, acme: Ask) -> None:
    olaf = make_user("olaf@acme.test", name="Olaf", role="reader", organization=world.other)
    assert acme("POST", "/Users", person("olaf@acme.test", displayName="Mallory")).status_code == 201
    olaf.refresh_from_db()
    assert (olaf.name, olaf.default_organization) == ("Olaf", world.other)
    assert roles(world)["olaf@acme.test"] == "reader"


def test_a_name_and_an_address_follow_the_provider_for_accounts_made_here(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test", displayName="Nora Ng")).json()
    answer = acme("PUT", f"/Users/{made['id']}", person("nora.lee@acme.test", displayName="Nora Lee"))
    assert answer.status_code == 200, answer.content
    nora = User.objects.get(public_id=made["id"])
    assert (nora.email, nora.name) == ("nora.lee@acme.test", "Nora Lee")


@pytest.mark.parametrize(
    "user_name",
    [
        *("charlie@other.test", "stranger@elsewhere.test", "x@sub.acme.test", "x@acme.test.evil.test"),
        *("acme.test", "@acme.test", "a@b@acme.test", "a b@acme.test", "a@acme.test, b@evil.test", "x@acme.test."),
    ],
)
def test_nobody_beyond_the_mail_domains_is_touched(world: World, acme: Ask, user_name: str) -> None:
    before = set(User.objects.values_list("email", "is_active", "name"))
    assert acme("POST", "/Users", person(user_name)).status_code == 400
    assert set(User.objects.values_list("email", "is_active", "name")) == before
    assert len(roles(world)) == 3


@pytest.mark.parametrize("address", ["charlie@other.test", "rita@acme.test", "staff@acme.test", "nora@elsewhere.test"])
def test_an_address_is_not_moved_to_somebody_elses_account(world: World, acme: Ask, address: str) -> None:
    User.objects.create_superuser("staff@acme.test", "x" * 20)
    made = acme("POST", "/Users", person("nora@acme.test")).json()
    for target in (made["id"], world.bob.public_id):
        answer = acme("PUT", f"/Users/{target}", person(address))
        assert answer.status_code in {400, 409}
    assert User.objects.get(public_id=made["id"]).email == "nora@acme.test"
    assert User.objects.get(pk=world.bob.pk).email == "bob@acme.test"


def test_an_address_of_somebody_who_is_elsewhere_too_is_theirs(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test", displayName="Nora")).json()
    nora = User.objects.get(public_id=made["id"])
    Membership.objects.create(organization=world.other, user=nora, role="reader", joined_at=nora.created_at)
    assert acme("PUT", f"/Users/{made['id']}", person("nora2@acme.test", displayName="N")).status_code == 400
    assert acme("PUT", f"/Users/{made['id']}", person("nora@acme.test", displayName="N")).status_code == 200
    nora.refresh_from_db()
    assert (nora.email, nora.name) == ("nora@acme.test", "Nora")


def test_staff_is_neither_taken_in_nor_made(world: World, acme: Ask) -> None:
    staff = User.objects.create_superuser("staff@acme.test", "x" * 20)
    assert acme("POST", "/Users", person("staff@acme.test")).status_code == 409
    assert not Membership.objects.filter(user=staff).exists()
    said = {"is_staff": True, "isStaff": True, "roles": [{"value": "superuser"}], "entitlements": [{"value": "staff"}]}
    made = acme("POST", "/Users", person("nora@acme.test", **said)).json()
    nora = User.objects.get(public_id=made["id"])
    assert (nora.is_staff, nora.is_superuser) == (False, False)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_members_of_others_do_not_exist(world: World, acme: Ask, other: Ask, method: str) -> None:
    bodies = {"PUT": person("rita@other.test"), "PATCH": patch({"op": "replace", "value": {"active": False}})}
    answer = other(method, f"/Users/{world.rita.public_id}", bodies.get(method))
    assert answer.status_code == 404
    assert "rita@acme.test" in roles(world)
    assert other("GET", "/Users", filter='userName eq "rita@acme.test"').json()["totalResults"] == 0


def test_the_last_owner_stays(world: World, acme: Ask) -> None:
    out = patch({"op": "replace", "value": {"active": False}})
    for answer in (
        acme("PATCH", f"/Users/{world.alice.public_id}", out),
        acme("DELETE", f"/Users/{world.alice.public_id}"),
    ):
        assert answer.status_code in {400, 403, 409}
        assert "last owner" in answer.json()["detail"]
    assert roles(world)["alice@acme.test"] == "owner"


def test_pages_of_people_hold_each_of_them_once(world: World, acme: Ask) -> None:
    for number in range(5):
        assert acme("POST", "/Users", person(f"p{number}@acme.test")).status_code == 201
    seen: list[str] = []
    for start in (1, 4, 7):
        page = acme("GET", "/Users", startIndex=str(start), count="3").json()
        assert page["totalResults"] == 8
        seen += [one["userName"] for one in page["Resources"]]
    assert len(seen) == len(set(seen)) == 8


def test_an_answer_for_an_older_version_is_refused(world: World, acme: Ask) -> None:
    made = acme("POST", "/Users", person("nora@acme.test"))
    assert made["ETag"] == made.json()["meta"]["version"]
    changed = acme("PUT", f"/Users/{made.json()['id']}", person("nora@acme.test", title="CTO"))
    assert changed["ETag"] != made["ETag"]


def test_there_is_a_limit_of_people(world: World, acme: Ask, settings: Settings) -> None:
    settings.SCIM_MAX_PEOPLE = 1
    assert acme("POST", "/Users", person("p1@acme.test")).status_code == 201
    refused = acme("POST", "/Users", person("p2@acme.test"))
    assert refused.status_code in {400, 403, 409}
    assert "which is the limit" in refused.json()["detail"]
    assert not User.objects.filter(email="p2@acme.test").exists()


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", '"x"', "null", '{"schemas": []}', '{"userName": 5}'),
        f'{{"schemas":["{USER}"],"userName":"a\u0000@acme.test"}}',
    ],
)
def test_what_cannot_be_read_is_answered_with_an_error_of_scim(world: World, acme: Ask, body: str) -> None:
    raw = acme("POST", "/Users", body.encode())
    assert raw.status_code == 400
    assert raw.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert len(roles(world)) == 3


def test_a_domain_is_one_organizations_alone(world: World, acme: Ask) -> None:
    with pytest.raises(Exception, match="unique"):
        MailDomain.objects.create(organization=world.other, name="acme.test")
