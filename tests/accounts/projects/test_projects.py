"""`accounts.projects.projects`: made, renamed, archived, restored; within bounds, and for ever in the history."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.changes import organization_change
from accounts.models import AuditEvent, Organization, Project, RoutingChange, RoutingVersion
from accounts.projects import projects
from accounts.projects.projects import ProjectRefusedError, default_of, make_project
from tests.world import World


def make(organization: Organization, name: str) -> Project:
    with organization_change(organization):
        return make_project(organization=organization, name=name)


def names_of(organization: Organization) -> list[str]:
    return list(Project.objects.filter(organization=organization).order_by("id").values_list("name", flat=True))


def test_the_first_project_brings_the_default_one_along(world: World) -> None:
    project = make(world.acme, "Checkout")
    assert names_of(world.acme) == ["Default project", "Checkout"]
    assert project.public_id.startswith("proj_")
    assert default_of(world.acme) == Project.objects.get(is_default=True)
    assert names_of(world.other) == []


def test_two_active_projects_never_share_a_name_whatever_its_case(world: World) -> None:
    project = make(world.acme, "Checkout")
    with pytest.raises(ProjectRefusedError, match="already a project named “CHECKOUT”"):
        make(world.acme, "CHECKOUT")
    with pytest.raises(ProjectRefusedError, match="already"), organization_change(world.acme):
        projects.rename_project(project=default_of(world.acme), name="checkout")
    make(world.other, "Checkout")
    with organization_change(world.acme) as now:
        projects.archive_project(project=project, now=now)
    make(world.acme, "Checkout")
    with pytest.raises(ProjectRefusedError, match="already"), organization_change(world.acme):
        projects.restore_project(project=project)
    assert names_of(world.acme) == ["Default project", "Checkout", "Checkout"]


def test_a_project_that_is_named_like_the_default_one_leaves_it_another_name(world: World) -> None:
    Project.objects.create(organization=world.acme, name="DEFAULT project")
    assert default_of(world.acme).name == "Default project 2"


def test_the_default_project_can_be_renamed_and_not_archived(world: World) -> None:
    default = default_of(world.acme)
    with organization_change(world.acme) as now:
        assert projects.rename_project(project=default, name="Everything else") is True
        assert projects.rename_project(project=default, name="Everything else") is False
        with pytest.raises(ProjectRefusedError, match="can't be archived"):
            projects.archive_project(project=default, now=now)
    assert names_of(world.acme) == ["Everything else"]


def test_there_is_a_bound_and_archived_projects_do_not_count(world: World, settings: Settings) -> None:
    settings.MAX_PROJECTS_PER_ORGANIZATION = 2
    first = make(world.acme, "First")
    with pytest.raises(ProjectRefusedError, match="2 projects, which is the limit"):
        make(world.acme, "Second")
    with organization_change(world.acme) as now:
        assert projects.archive_project(project=first, now=now) is True
        assert projects.archive_project(project=first, now=now) is False
    make(world.acme, "Second")
    with pytest.raises(ProjectRefusedError, match="limit"), organization_change(world.acme):
        projects.restore_project(project=first)


def test_every_change_is_in_the_audit_log(world: World) -> None:
    project = make(world.acme, "Checkout")
    with organization_change(world.acme) as now:
        projects.rename_project(project=project, name="Shop")
        projects.archive_project(project=project, now=now)
        assert projects.restore_project(project=project) is True
        assert projects.restore_project(project=project) is False
    entries = AuditEvent.objects.filter(organization=world.acme).order_by("id").values_list("event", "target_name")
    assert list(entries) == [
        ("project.created", "Checkout"),
        ("project.updated", "Shop"),
        ("project.archived", "Shop"),
        ("project.restored", "Shop"),
    ]
    assert AuditEvent.objects.get(event="project.updated").details == {"name_before": "Checkout"}


def test_a_change_says_which_organization_it_is_about_with_the_version_it_makes(world: World) -> None:
    before = RoutingVersion.objects.get().version
    make(world.acme, "Checkout")
    assert RoutingVersion.objects.get().version == before + 1
    assert list(RoutingChange.objects.values_list("version", "person").filter(version__gt=before)) == [
        (before + 1, -world.acme.pk)
    ]
    with pytest.raises(ProjectRefusedError):
        make(world.acme, "Checkout")
    assert RoutingVersion.objects.get().version == before + 1


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_make_the_last_project_at_once_one_does(world: World, settings: Settings) -> None:
    settings.MAX_PROJECTS_PER_ORGANIZATION = 2

    def attempt(name: str) -> str:
        try:
            return make(world.acme, name).name
        except ProjectRefusedError:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(attempt, ["A", "B", "C", "D"]))
    assert made.count("refused") == 3
    assert len(names_of(world.acme)) == 2
