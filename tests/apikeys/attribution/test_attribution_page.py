"""What a key's usage is for: the page for its user, and for owners and admins."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.changes import organization_change, routing_change
from accounts.models import Organization, Project, User
from accounts.projects.attributes import declare, withdraw
from accounts.projects.projects import archive_project, make_project
from apikeys.attribution.attribution import set_attribution
from apikeys.models import APIKey, KeyAttribution
from tests.engine import make_key
from tests.world import World, join

SignIn = Callable[[User], Client]


def page_of(api_key: APIKey, slug: str = "acme") -> str:
    return f"/settings/organization/{slug}/keys/{api_key.public_id}/attribution/"


def text_of(page: object) -> str:
    return " ".join(page.content.decode().split())  # type: ignore[attr-defined]


@pytest.fixture
def checkout(world: World) -> Project:
    """A project of Acme, which has declared `team`."""
    with organization_change(world.acme) as now:
        declare(organization=world.acme, name="team", title="Team", now=now)
        return make_project(organization=world.acme, name="Checkout")


def sent(project: Project | None, **fields: str) -> dict[str, str]:
    return {"project": project.public_id if project else "", "replaces": "0", **fields}


def test_the_keys_user_chooses_sees_the_history_and_takes_it_back(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    client = client_of(world.rita)
    saved = client.post(page_of(key), sent(checkout, attribute_team="search"), follow=True)
    assert "Saved at" in text_of(saved)
    assert [(one.project, one.values) for one in saved.context["history"]] == [
        ("Checkout", (("Team", "search"),)),
        ("Default project", ()),
    ]
    undone = client.post(page_of(key), saved.context["undo"]["fields"], follow=True)
    assert [one.project for one in undone.context["history"]] == ["Default project", "Checkout", "Default project"]
    assert KeyAttribution.objects.order_by("-effective_at")[0].attributes == {}


def test_admins_choose_for_members_and_readers_for_themselves_alone(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    assert client_of(world.bob).post(page_of(key), sent(checkout)).status_code == 302
    assert KeyAttribution.objects.get().project == checkout
    bobs = make_key(world.bob, "Bobs key")
    assert client_of(world.rita).get(page_of(bobs)).status_code == 404
    assert client_of(world.rita).post(page_of(bobs), sent(checkout)).status_code == 404
    assert client_of(world.charlie).get(page_of(key)).status_code == 404
    theirs = make_key(world.charlie)
    assert client_of(world.bob).post(page_of(theirs), sent(checkout)).status_code == 404
    assert KeyAttribution.objects.count() == 1


def test_a_value_that_cannot_be_is_refused_at_its_field_and_kept(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    for value, reason in (("x" * 65, "at most 64 characters"), ("a\u2028b", "control characters")):
        page = client_of(world.rita).post(page_of(key), sent(checkout, attribute_team=value))
        assert reason in page.context["form"].errors["attribute_team"][0]
        assert value in page.content.decode()
    assert not KeyAttribution.objects.exists()


def test_an_archived_or_unknown_project_is_no_choice(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    with organization_change(world.acme) as now:
        archive_project(project=checkout, now=now)
    with organization_change(world.other):
        theirs = make_project(organization=world.other, name="Theirs")
    for project in (checkout, theirs):
        page = client_of(world.rita).post(page_of(key), sent(project))
        assert page.context["form"].errors["project"]
    assert not KeyAttribution.objects.exists()


def test_who_saves_over_what_another_has_chosen_is_told_first(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    client_of(world.bob).post(page_of(key), sent(checkout, attribute_team="bobs"))
    page = client_of(world.rita).post(page_of(key), sent(None, attribute_team="ritas"))
    assert "Somebody else changed this meanwhile" in text_of(page)
    assert page.context["history"][0].values == (("Team", "bobs"),)
    again = {name: page.context["form"][name].value() or "" for name in page.context["form"].fields}
    assert client_of(world.rita).post(page_of(key), again).status_code == 302
    assert KeyAttribution.objects.order_by("-effective_at")[0].attributes == {"team": "ritas"}


def test_a_withdrawn_attribute_is_asked_for_no_more_and_stays_in_the_history(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    client = client_of(world.rita)
    client.post(page_of(key), sent(checkout, attribute_team="search"))
    with organization_change(world.acme) as now:
        withdraw(attribute=world.acme.attributes.get(), now=now)
    page = client.get(page_of(key))
    assert "attribute_team" not in page.context["form"].fields
    assert page.context["history"][0].values == (("Team", "search"),)


def test_without_projects_and_attributes_the_page_says_who_can_make_them(
    world: World, client_of: SignIn, key: APIKey
) -> None:
    assert "Owners and admins can add them." in text_of(client_of(world.rita).get(page_of(key)))
    assert "Create a project" in text_of(client_of(world.bob).get(page_of(key)))


def test_nothing_is_asked_for_an_ended_key_and_the_page_says_why(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    APIKey.objects.filter(pk=key.pk).update(revoked_at=key.created_at)
    page = client_of(world.rita).get(page_of(key))
    assert "This key is revoked. Nothing can be chosen for it any more." in text_of(page)
    assert "<select" not in page.content.decode()
    assert "is revoked" in text_of(client_of(world.rita).post(page_of(key), sent(checkout)))
    assert not KeyAttribution.objects.exists()


def test_changes_count_against_the_persons_limit(
    world: World, client_of: SignIn, key: APIKey, checkout: Project, settings: Settings
) -> None:
    settings.CHANGES_PER_MINUTE = 0
    page = client_of(world.rita).post(page_of(key), sent(checkout))
    assert page.status_code == 429
    assert "which is the limit" in text_of(page)


def test_another_organization_of_the_user_has_a_choice_of_its_own(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    join(world.rita, world.labs, role="reader")
    with organization_change(world.labs):
        research = make_project(organization=world.labs, name="Research")
    page = client_of(world.rita).get(page_of(key, "acme-labs"))
    assert "this applies to requests that name it" in text_of(page)
    client_of(world.rita).post(page_of(key, "acme-labs"), sent(research))
    assert KeyAttribution.objects.get().organization == world.labs


def test_the_list_of_keys_and_the_keys_history_say_what_it_is_for(
    world: World, client_of: SignIn, key: APIKey, checkout: Project
) -> None:
    with routing_change(world.rita) as now:
        set_attribution(api_key=key, organization=world.acme, project=checkout, attributes={"team": "search"}, now=now)
    listed = text_of(client_of(world.rita).get("/settings/api-keys/"))
    assert "For <bdi>Checkout</bdi>, Team <bdi>search</bdi>" in listed
    assert page_of(key) in listed
    explained = text_of(client_of(world.bob).get(f"/settings/organization/acme/keys/{key.public_id}/"))
    assert "Project: Checkout. Team: search." in explained
    assert "Project: Default project." in explained


def test_where_nothing_can_be_chosen_the_list_of_keys_says_nothing_of_it(
    world: World, client_of: SignIn, key: APIKey
) -> None:
    assert "attribution" not in client_of(world.rita).get("/settings/api-keys/").content.decode()


def test_the_list_of_keys_needs_no_query_for_each_key(
    world: World, client_of: SignIn, checkout: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        api_key = make_key(world.rita, f"key {number}")
        KeyAttribution.objects.create(
            api_key=api_key, organization=world.acme, project=checkout, effective_at=api_key.created_at
        )
    client = client_of(world.rita)
    with django_assert_max_num_queries(13):
        client.get("/settings/api-keys/")
    assert Organization.objects.count() > 1
