"""Organization settings, Projects: everybody sees them with the keys that they may know of, owners and admins change them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.changes import organization_change
from accounts.clock import database_now
from accounts.models import AuditEvent, Organization, Project, User
from accounts.projects.projects import archive_project, make_project
from apikeys.models import APIKey, KeyAttribution
from tests.engine import make_key
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/projects/"
OLD = datetime(2023, 6, 1, tzinfo=UTC)


@pytest.fixture
def checkout(world: World) -> Project:
    with organization_change(world.acme):
        return make_project(organization=world.acme, name="Checkout")


def address(project: Project, thing: str = "") -> str:
    return f"{PAGE}{project.public_id}/{thing}"


def give(api_key: APIKey, project: Project) -> None:
    KeyAttribution.objects.create(
        api_key=api_key, organization=project.organization, project=project, effective_at=database_now()
    )


def text_of(page: object) -> str:
    return " ".join(page.content.decode().split())  # type: ignore[attr-defined]


def test_reading_the_page_makes_no_default_project_and_shows_one(world: World, client_of: SignIn) -> None:
    page = text_of(client_of(world.rita).get(PAGE))
    assert "Default project" in page
    assert "Owners and admins can create more" in page
    assert not Project.objects.exists()


def test_an_admin_creates_renames_archives_and_restores(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    made = client.post(PAGE, {"name": " Checkout "}, follow=True)
    assert "“Checkout” created." in text_of(made)
    project = Project.objects.get(name="Checkout")
    client.post(address(project, "name/"), {"name": "Shop"})
    archived = client.post(address(project, "archival/"), follow=True)
    assert "“<bdi>Shop</bdi>” archived." in text_of(archived)
    project.refresh_from_db()
    assert (project.name, project.archived_at is not None) == ("Shop", True)
    assert client.get(address(project)).status_code == 200
    client.post(address(project, "restoration/"))
    project.refresh_from_db()
    assert project.archived_at is None
    actors = AuditEvent.objects.filter(event__startswith="project.").values_list("event", "actor_name")
    assert {actor for _, actor in actors} == {world.bob.email}
    assert len(actors) == 4


@pytest.mark.parametrize(
    ("name", "reason"), [("", "Enter a name"), ("a\u2028b", "control"), ("x" * 121, "at most 120")]
)
def test_a_name_that_cannot_be_is_refused(world: World, client_of: SignIn, name: str, reason: str) -> None:
    page = client_of(world.bob).post(PAGE, {"name": name})
    assert reason in page.context["form"].errors["name"][0]
    assert not Project.objects.exists()


def test_a_name_in_use_is_refused_at_each_form(world: World, client_of: SignIn, checkout: Project) -> None:
    client = client_of(world.alice)
    assert "already a project" in text_of(client.post(PAGE, {"name": "checkout"}))
    client.post(PAGE, {"name": "Search"})
    search = Project.objects.get(name="Search")
    assert "already a project" in text_of(client.post(address(search, "name/"), {"name": "Checkout"}))
    client.post(address(checkout, "archival/"))
    client.post(address(search, "name/"), {"name": "Checkout"})
    assert "already a project" in text_of(client.post(address(checkout, "restoration/"), follow=True))


def test_the_default_project_has_no_archive_button_and_is_not_archived(
    world: World, client_of: SignIn, checkout: Project
) -> None:
    default = Project.objects.get(is_default=True)
    client = client_of(world.bob)
    assert "Archive project" not in client.get(address(default)).content.decode()
    assert "can't be archived" in text_of(client.post(address(default, "archival/"), follow=True)).replace(
        "&#x27;", "'"
    )


def test_readers_change_nothing(world: World, client_of: SignIn, checkout: Project) -> None:
    client = client_of(world.rita)
    page = client.get(PAGE).content.decode()
    assert "Checkout" in page
    assert "<form" not in page.partition("<main")[2]
    for thing in ("name/", "archival/", "restoration/"):
        assert client.post(address(checkout, thing), {"name": "Mine"}).status_code == 403
    assert client.post(PAGE, {"name": "Mine"}).status_code == 403
    assert Project.objects.count() == 2


def test_other_organizations_projects_do_not_exist(world: World, client_of: SignIn, checkout: Project) -> None:
    Project.objects.filter(pk=checkout.pk).update(organization=world.other)
    client = client_of(world.alice)
    assert client.get(address(checkout)).status_code == 404
    assert client.post(address(checkout, "archival/")).status_code == 404


def test_each_project_lists_its_keys_and_the_default_one_the_rest(
    world: World, client_of: SignIn, checkout: Project
) -> None:
    give(make_key(world.rita, "ritas"), checkout)
    for number in range(5):
        make_key(world.bob, f"bobs {number}")
    page = client_of(world.alice).get(PAGE)
    ((project, keys),) = page.context["rows"]
    assert (project, [one.api_key.name for one in keys.keys], keys.num_more) == (checkout, ["ritas"], 0)
    default = page.context["default_keys"]
    assert ([one.api_key.name for one in default.keys], default.num_more) == (["bobs 0", "bobs 1", "bobs 2"], 2)
    own_page = client_of(world.alice).get(address(Project.objects.get(is_default=True)))
    assert own_page.context["keys"].total == 5


def test_ended_keys_and_what_counts_elsewhere_are_not_listed(
    world: World, client_of: SignIn, checkout: Project
) -> None:
    for name, changes in (("revoked", {"revoked_at": database_now()}), ("expired", {"expires_at": OLD})):
        api_key = make_key(world.rita, name)
        give(api_key, checkout)
        APIKey.objects.filter(pk=api_key.pk).update(**changes)
    make_key(world.charlie, "charlies")
    page = client_of(world.alice).get(PAGE)
    assert page.context["rows"][0][1].total == 0
    assert page.context["default_keys"].total == 0


def test_readers_see_keys_that_pages_show_them_by_name(world: World, client_of: SignIn, checkout: Project) -> None:
    give(make_key(world.rita, "ritas"), checkout)
    give(make_key(world.bob, "bobs tracked"), checkout)
    give(make_key(world.bob, "bobs untracked", created_at=OLD), checkout)

    def names(page: Any) -> list[str]:
        return [one.api_key.name for one in page.context["rows"][0][1].keys]

    assert names(client_of(world.bob).get(PAGE)) == ["bobs tracked", "bobs untracked", "ritas"]
    assert names(client_of(world.rita).get(PAGE)) == ["bobs tracked", "ritas"]
    Organization.objects.filter(pk=world.acme.pk).update(usage_visibility="owners_and_admins")
    assert names(client_of(world.rita).get(PAGE)) == ["ritas"]


def test_limits_are_said_where_they_are_reached(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.NEW_PROJECTS_PER_DAY = 1
    client = client_of(world.bob)
    client.post(PAGE, {"name": "First"})
    assert client.post(PAGE, {"name": "Second"}).status_code == 429
    settings.NEW_PROJECTS_PER_DAY, settings.MAX_PROJECTS_PER_ORGANIZATION = 9, 2
    assert "2 projects, which is the limit" in text_of(client.post(PAGE, {"name": "Third"}))
    assert Project.objects.filter(is_default=False).count() == 1


def test_the_page_needs_the_same_queries_however_much_there_is(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with organization_change(world.acme) as now:
        for number in range(12):
            project = make_project(organization=world.acme, name=f"Project {number}")
            give(make_key(world.rita, f"key {number}"), project)
            if number % 3 == 0:
                archive_project(project=project, now=now)
    client = client_of(world.alice)
    with django_assert_max_num_queries(12):
        client.get(PAGE)


def test_a_project_leads_to_its_usage(world: World, client_of: SignIn, checkout: Project) -> None:
    for project in Project.objects.all():
        page = client_of(world.rita).get(address(project)).content.decode()
        usage = f"/settings/organization/acme/usage/activity/?project={project.public_id}"
        assert usage in page
        assert client_of(world.rita).get(usage).context["form"].ignored == ()


def make_projects(organization: Organization, number: int, *, archived: bool = False) -> list[Project]:
    name = "old" if archived else "project"
    return Project.objects.bulk_create(
        Project(
            organization=organization,
            name=f"{name} {n:05}",
            created_at=OLD,
            archived_at=database_now() if archived else None,
        )
        for n in range(number)
    )


def test_thousands_of_projects_are_a_hundred_at_a_time_below_the_default_one(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    last = make_projects(world.acme, 10_000)[-1]
    give(make_key(world.rita, "Ritas"), last)
    client = client_of(world.alice)
    client.get(PAGE)
    with django_assert_max_num_queries(14):
        page = text_of(client.get(PAGE))
    assert "Default project" in page
    assert "10,000 projects · Page 1 of 100" in page
    assert "project 00099" in page
    assert "project 00100" not in page
    assert len(page) < 300_000
    end = text_of(client.get(PAGE, {"page": "100"}))
    assert "project 09999" in end
    assert "<bdi>Ritas</bdi>" in end
    found = text_of(client.get(PAGE, {"q": "T 0123"}))
    assert found.count("project 0123") >= 10
    assert "project 01240" not in found
    assert "No active project beside the default one has “<bdi>nothing like it</bdi>”" in text_of(
        client.get(PAGE, {"q": "nothing like it"})
    )


def test_archived_projects_have_pages_of_their_own(world: World, client_of: SignIn) -> None:
    made = make_projects(world.acme, 150, archived=True)
    client = client_of(world.alice)
    page = text_of(client.get(PAGE))
    assert "Archived projects (150) · Page 1 of 2" in page
    assert "<details open>" not in page
    second = text_of(client.get(PAGE, {"old": "2"}))
    assert "<details open>" in second
    assert "old 00149" in second
    assert "old 00099" not in second
    just = text_of(client.get(PAGE, {"archived": made[-1].public_id}))
    assert "old 00149" in just
