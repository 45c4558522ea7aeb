"""Organization settings, Provisioning: owners make tokens for their identity provider, and see each secret once."""

import re
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import AuditEvent, Organization
from apikeys.models import ScimToken
from tests.world import LONG_AGO, World
from usage_dashboard.models import MailDomain, ScimGroup

PAGE = "/settings/organization/acme/provisioning/"
SECRET = re.compile(r"scim-[0-9A-Za-z]{40}")


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_an_owner_makes_a_token_and_sees_its_secret_once(world: World, client_of: Any) -> None:
    client: Client = client_of(world.alice)
    assert "there are none yet" in text_of(client.get(PAGE))
    MailDomain.objects.create(organization=world.acme, name="acme.test")
    shown = client.post(PAGE, {"name": "Okta", "expires_in_days": "365"}, follow=True)
    (secret,) = set(SECRET.findall(text_of(shown)))
    assert Client(headers={"authorization": f"Bearer {secret}"}).get("/scim/v2/Users").status_code == 200
    again = text_of(client.get(shown.redirect_chain[-1][0]))
    assert "has been shown already" in again
    listed = text_of(client.get(PAGE))
    assert "Okta" in listed
    assert "acme.test" in listed
    assert not SECRET.search(again + listed)


def test_revoking_asks_first_and_is_in_the_audit_log(world: World, client_of: Any) -> None:
    client: Client = client_of(world.alice)
    client.post(PAGE, {"name": "Okta", "expires_in_days": ""})
    token = ScimToken.objects.get()
    address = f"{PAGE}{token.public_id}/revocation/"
    assert "cannot be undone" in text_of(client.get(address))
    assert "“Okta” was revoked" in text_of(client.post(address, follow=True))
    events = AuditEvent.objects.filter(organization=world.acme, target_id=token.public_id).order_by("id")
    assert [found.event for found in events] == ["scim_token.created", "scim_token.deleted"]
    assert "SCIM token revoked" in text_of(client.get("/settings/organization/acme/audit/"))


def test_it_is_for_owners_alone_and_not_for_personal_organizations(world: World, client_of: Any) -> None:
    assert [client_of(one).get(PAGE).status_code for one in (world.bob, world.rita, world.charlie)] == [403, 403, 404]
    Organization.objects.filter(pk=world.acme.pk).update(is_personal=True)
    assert client_of(world.alice).get(PAGE).status_code == 404


def test_who_makes_tokens_without_end_is_told_when_to_go_on(world: World, client_of: Any, settings: Settings) -> None:
    settings.CHANGES_PER_MINUTE = 1
    client: Client = client_of(world.alice)
    first, second = (client.post(PAGE, {"name": name, "expires_in_days": ""}) for name in ("Okta", "Entra"))
    assert (first.status_code, second.status_code) == (302, 429)
    assert int(second["Retry-After"]) <= 60
    assert "which is the limit" in text_of(second)
    assert [token.name for token in ScimToken.objects.all()] == ["Okta"]


def test_the_page_and_what_it_makes_have_names_of_their_own(world: World, client_of: Any) -> None:
    page = text_of(client_of(world.alice).get(PAGE))
    assert re.findall("<h1>(.*?)</h1>", page) == ["Provisioning"]
    assert "<title> Provisioning of Acme" in page
    headings = dict(re.findall(r'<h2 id="(.*?)"> ?(.*?) ?</h2>', page))
    assert (headings["secrets"], headings["new-secret"]) == ("SCIM tokens", "Create a SCIM token")


def test_groups_are_counted_and_not_read_however_many_people_they_have(world: World, client_of: Any) -> None:
    groups = ScimGroup.objects.bulk_create(
        ScimGroup(organization=world.acme, name=f"Group {number:03}", updated_at=LONG_AGO) for number in range(101)
    )
    groups[0].people.set([world.alice, world.bob, world.rita])
    client: Client = client_of(world.alice)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(PAGE)
    assert [num_people for _, num_people in page.context["groups"]] == [3] + [0] * 99
    assert "101 groups · Page 1 of 2" in text_of(page)
    of_groups = [query["sql"] for query in queries if "usage_dashboard_scimgroup_people" in query["sql"]]
    assert len(of_groups) == 1
    assert "COUNT(" in of_groups[0]
    assert [group.name for group, _ in client.get(PAGE, {"groups": "2"}).context["groups"]] == ["Group 100"]


def test_tokens_that_were_revoked_have_pages_of_their_own(world: World, client_of: Any) -> None:
    ScimToken.objects.bulk_create(
        ScimToken(
            organization=world.acme,
            name=f"Old {number}",
            digest=f"{number}".encode().ljust(32),
            created_at=LONG_AGO,
            revoked_at=LONG_AGO,
        )
        for number in range(101)
    )
    client: Client = client_of(world.alice)
    first, second = (client.get(PAGE, {"revoked": number}) for number in ("1", "2"))
    assert [len(page.context["revoked"].rows) for page in (first, second)] == [100, 1]
    assert "Revoked tokens (101) · Page 2 of 2" in text_of(second)
    assert "There are no SCIM tokens yet" in text_of(second)
