"""`apikeys.attribution.attribution`: what a key's usage is for, forward from the moment it is chosen."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.limits import LimitReachedError
from accounts.models import AuditEvent, Organization, Project
from accounts.organizations.organizations import remove_member
from accounts.projects.attributes import AttributeRefusedError, InvalidValueError, declare, withdraw
from accounts.projects.projects import archive_project, default_of, make_project, rename_project
from apikeys.attribution.attribution import (
    AttributionRefusedError,
    ChangedMeanwhileError,
    ProjectRefusedHereError,
    history_of,
    set_attribution,
)
from apikeys.keys import keys
from apikeys.models import APIKey, KeyAttribution
from tests.engine import make_key
from tests.world import World, join


def project_of(organization: Organization, name: str = "Checkout") -> Project:
    with organization_change(organization) as now:
        declared = organization.attributes.filter(name="team", withdrawn_at__isnull=True)
        if not declared.exists():
            declare(organization=organization, name="team", title="Team", now=now)
        return make_project(organization=organization, name=name)


def choose(
    api_key: APIKey,
    organization: Organization,
    project: Project | None,
    values: Mapping[str, str] | None = None,
    replaces: int | None = None,
) -> bool:
    with routing_change(api_key.user) as now:
        return set_attribution(
            api_key=api_key,
            organization=organization,
            project=project,
            attributes=values or {},
            now=now,
            replaces=replaces,
        )


def chosen(api_key: APIKey) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [(one.project, one.values) for one in history_of(api_key, Organization.objects.get(slug="acme"))]


def test_what_is_chosen_holds_forward_and_keeps_its_history(world: World, key: APIKey) -> None:
    checkout = project_of(world.acme)
    assert choose(key, world.acme, checkout, {"team": " search "}) is True
    assert choose(key, world.acme, checkout, {"team": "search"}) is False
    assert choose(key, world.acme, None) is True
    assert chosen(key) == [
        ("Default project", ()),
        ("Checkout", (("Team", "search"),)),
        ("Default project", ()),
    ]
    latest, first = KeyAttribution.objects.order_by("-effective_at")
    assert latest.effective_at > first.effective_at > database_now() - timedelta(minutes=1)
    assert history_of(key, world.acme)[-1].since is None


def test_the_default_project_is_stored_as_none_and_shown_by_its_name(world: World, key: APIKey) -> None:
    checkout = project_of(world.acme)
    assert choose(key, world.acme, default_of(world.acme)) is False
    choose(key, world.acme, checkout)
    with organization_change(world.acme):
        rename_project(project=default_of(world.acme), name="The rest")
    assert choose(key, world.acme, default_of(world.acme)) is True
    assert KeyAttribution.objects.order_by("-effective_at")[0].project is None
    assert chosen(key)[0] == ("The rest", ())


def test_each_organization_has_its_own_choice(world: World, key: APIKey) -> None:
    join(world.rita, world.labs, role="reader")
    choose(key, world.acme, project_of(world.acme))
    choose(key, world.labs, project_of(world.labs, "Research"))
    assert [one.project for one in history_of(key, world.labs)] == ["Research", "Default project"]
    assert chosen(key)[0] == ("Checkout", ())


def test_an_archived_project_is_kept_and_not_chosen(world: World, key: APIKey) -> None:
    checkout = project_of(world.acme)
    choose(key, world.acme, checkout)
    with organization_change(world.acme) as now:
        archive_project(project=checkout, now=now)
    assert choose(key, world.acme, checkout, {"team": "search"}) is True
    other = make_key(world.rita, "Another")
    with pytest.raises(ProjectRefusedHereError, match="“Checkout” is archived"):
        choose(other, world.acme, checkout)
    choose(key, world.acme, None)
    with pytest.raises(ProjectRefusedHereError, match="archived"):
        choose(key, world.acme, checkout)


def test_another_organizations_project_is_refused_by_the_rules_and_by_the_database(world: World, key: APIKey) -> None:
    theirs = project_of(world.other)
    with pytest.raises(ProjectRefusedHereError, match="no such project"):
        choose(key, world.acme, theirs)
    row = KeyAttribution(api_key=key, organization=world.acme, project=theirs, effective_at=database_now())
    row.save()
    with pytest.raises(IntegrityError, match="key_attribution_project_of_organization"), transaction.atomic():
        connection.check_constraints()
    row.delete()


def test_names_that_are_not_declared_and_values_that_cannot_be_are_refused(world: World, key: APIKey) -> None:
    project_of(world.acme)
    with pytest.raises(AttributeRefusedError, match="has not declared “feature”"):
        choose(key, world.acme, None, {"feature": "x"})
    with pytest.raises(InvalidValueError, match="at most 64"):
        choose(key, world.acme, None, {"team": "x" * 65})
    with organization_change(world.acme) as now:
        withdraw(attribute=world.acme.attributes.get(name="team"), now=now)
    with pytest.raises(AttributeRefusedError, match="has not declared “team”"):
        choose(key, world.acme, None, {"team": "x"})
    assert not KeyAttribution.objects.exists()


def test_nothing_is_chosen_for_ended_keys_and_for_keys_of_people_who_are_not_members(world: World, key: APIKey) -> None:
    checkout = project_of(world.acme)
    with pytest.raises(AttributionRefusedError, match="not in Acme"):
        choose(make_key(world.charlie), world.acme, checkout)
    expired = make_key(world.rita, "Expired", expires_at=database_now() - timedelta(seconds=1))
    with pytest.raises(AttributionRefusedError, match="has expired"):
        choose(expired, world.acme, checkout)
    revoked = make_key(world.rita, "Revoked")
    with routing_change(world.rita) as now:
        keys.revoke_api_key(api_key=revoked, now=now)
    with pytest.raises(AttributionRefusedError, match="is revoked"):
        choose(revoked, world.acme, checkout)
    join(world.rita, world.labs, role="reader")
    with routing_change(world.rita) as now:
        remove_member(organization=world.acme, user=world.rita, now=now)
    with pytest.raises(AttributionRefusedError, match="not in Acme"):
        choose(key, world.acme, checkout)
    assert not KeyAttribution.objects.exists()


def test_the_audit_log_of_the_organization_says_what_was_chosen(world: World, key: APIKey) -> None:
    choose(key, world.acme, project_of(world.acme), {"team": "search"})
    entry = AuditEvent.objects.get(event="api_key.attributed")
    assert (entry.organization, entry.target_id) == (world.acme, key.public_id)
    assert entry.details["project"] == "Checkout"
    assert entry.details["attribute team"] == "search"


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_choose_at_once_the_second_is_told(world: World, key: APIKey) -> None:
    projects = [project_of(world.acme, name) for name in ("A", "B", "C")]

    def attempt(project: Project) -> str:
        try:
            choose(key, world.acme, project, replaces=0)
        except ChangedMeanwhileError:
            return "told"
        finally:
            connection.close()
        return project.name

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(attempt, projects))
    assert answers.count("told") == 2
    assert KeyAttribution.objects.count() == 1


def test_what_a_persons_keys_are_for_changes_so_often_a_day_and_one_organization_leaves_others_room(
    world: World, key: APIKey, settings: Settings
) -> None:
    settings.SWITCHES_PER_DAY = 1
    for organization in (world.labs, world.japan):
        join(world.rita, organization, role="reader")
    another = make_key(world.rita, "Another")
    assert choose(key, world.acme, project_of(world.acme))
    for again in (key, another):
        with pytest.raises(LimitReachedError, match="limit of a day"):
            choose(again, world.acme, project_of(world.acme, f"For {again}"))
    assert choose(another, world.labs, project_of(world.labs))
    with pytest.raises(LimitReachedError, match="changed 2 times"):
        choose(another, world.japan, project_of(world.japan))
    assert KeyAttribution.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_project_that_is_archived_at_the_same_moment_is_chosen_before_or_not_at_all(
    world: World, key: APIKey
) -> None:
    project = project_of(world.acme)

    def archive(_: object) -> None:
        with organization_change(world.acme) as now:
            archive_project(project=Project.objects.get(pk=project.pk), now=now)
        connection.close()

    def attempt(_: object) -> None:
        try:
            choose(key, world.acme, project)
        except ProjectRefusedHereError:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        for running in (threads.submit(archive, None), threads.submit(attempt, None)):
            running.result(10)
    project.refresh_from_db()
    row = KeyAttribution.objects.first()
    assert row is None or (project.archived_at is not None and row.effective_at < project.archived_at)
