"""By project and attribute: the menu, the Top lists, filters as chips, and what is no value, on both views."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Attribute, Organization, Project, User
from accounts.projects.projects import default_of, make_project
from metering.models import DailyUsage
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.metering.pages.test_activity_page import bars, figures, page_of, top_list
from tests.usage.attributions import OTHER_VALUES, declare, say
from tests.world import World, join

SignIn = Callable[[User], Client]
USAGE = "/settings/organization/acme/usage"
ACTIVITY = f"{USAGE}/activity/"


def use(world: World, user: User, requests: int, organization: Organization | None = None, **said: str) -> None:
    """Usage of yesterday that is for what is said: a project by its name, and values by the attribute's name."""
    there = organization or world.acme
    event = make_event(
        id=f"{user.pk}-{requests}",
        api_key_id=make_key(user, f"key {requests}").public_id,
        num_model_requests=requests,
        organization=organization.public_id if organization else None,
    )
    assert send([event], make_token(f"token {requests}")) == ["accepted"]
    project = said.pop("project", None)
    say(user, there, Project.objects.get(organization=there, name=project) if project else None, said)
    roll_up()


@pytest.fixture
def month(world: World) -> str:
    """The query string of a month with usage for two projects and three teams, for none, and beyond the limit of values."""
    default_of(world.acme)
    declare(world.acme, "team", "Team")
    make_project(organization=world.acme, name="Search")
    use(world, world.rita, 1, project="Search", team="red")
    use(world, world.rita, 2, team="red")
    use(world, world.bob, 4, project="Search", team="a:b & <i>")
    use(world, world.bob, 8)
    use(world, world.alice, 16, team=OTHER_VALUES)
    return f"month={DailyUsage.objects.values_list('day', flat=True)[0]:%Y-%m}"


def chips(page: str) -> list[str]:
    found = re.findall(r'<li class="chip">.*?</a>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", chip).split()) for chip in found]


def test_usage_is_told_apart_by_project_and_by_value(world: World, month: str, client_of: SignIn) -> None:
    client = client_of(world.alice)
    by_project = figures(page_of(client, f"{ACTIVITY}?{month}&group_by=project"))
    assert bars(by_project["requests"]) == {"Default project": 26, "Search": 5}
    by_team = figures(page_of(client, f"{ACTIVITY}?{month}&group_by=attribute:team"))
    assert bars(by_team["requests"]) == {"No team": 8, "red": 3, "a:b & <i>": 4, "Other values": 16}


def test_projects_models_and_each_attribute_have_a_top_list(world: World, month: str, client_of: SignIn) -> None:
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}")
    assert top_list(page, "Top projects") == [("Default project", "26"), ("Search", "5")]
    assert top_list(page, "Top models") == [("gpt-4o", "31")]
    assert top_list(page, "Top teams")[:2] == [("Other values", "16"), ("No team", "8")]
    assert "too many in a month to be told apart" in page


def test_an_organization_without_projects_and_attributes_has_no_lists_of_them(world: World, client_of: SignIn) -> None:
    use(world, world.rita, 1)
    page = page_of(client_of(world.alice), ACTIVITY)
    assert "Top projects" not in page
    assert "attribute:" not in page
    assert "attribute=" not in page


@pytest.mark.parametrize(
    ("query", "chip", "requests"),
    [
        ("attribute=team:red", "Team red", 3),
        ("attribute=team:", "Team No team", 8),
        ("attribute=team*", "Team Other values", 16),
        ("attribute=team:a%3Ab+%26+%3Ci%3E", "Team a:b &amp; &lt;i&gt;", 4),
        ("attribute=team:red&attribute=team:", "Team red", 11),
        ("project=default", "Project Default project", 26),
        ("provider=none", "Provider No provider", 31),
    ],
)
def test_a_filter_is_a_chip_and_narrows_both_views(  # noqa: PLR0917 - fixtures and cases
    world: World, month: str, client_of: SignIn, query: str, chip: str, requests: int
) -> None:
    client = client_of(world.alice)
    for view in ("activity", "cost"):
        page = page_of(client, f"{USAGE}/{view}/?{month}&{query}")
        assert any(chip in found for found in chips(page)), chips(page)
        assert "was ignored" not in page
    page = page_of(client, f"{ACTIVITY}?{month}&{query}")
    assert sum(bars(figures(page)["requests"]).values()) == requests


def test_projects_are_filtered_by_their_ids_the_default_one_too(world: World, month: str, client_of: SignIn) -> None:
    client = client_of(world.alice)
    for project, requests in ((default_of(world.acme), 26), (Project.objects.get(name="Search"), 5)):
        page = page_of(client, f"{ACTIVITY}?{month}&project={project.public_id}&group=attribute:team")
        assert sum(bars(figures(page)["requests"]).values()) == requests
        assert f"project={project.public_id}" in page_of(client, f"{ACTIVITY}?{month}")


def test_filters_of_two_dimensions_narrow_each_other(world: World, month: str, client_of: SignIn) -> None:
    search = Project.objects.get(name="Search").public_id
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}&project={search}&attribute=team:red&group=user")
    assert bars(figures(page)["requests"]) == {"Rita Rao": 1}


def test_a_row_of_a_list_replaces_values_of_its_own_attribute_alone(
    world: World, month: str, client_of: SignIn
) -> None:
    declare(world.acme, "stage", "Stage")
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}&attribute=stage:&attribute=team:")
    assert "attribute=stage%3A&amp;attribute=team%3Ared" not in page
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}&attribute=stage:&attribute=team:red")
    assert f"?{month}&amp;attribute=stage%3A&amp;attribute=team%3Ared" in page or "attribute=stage%3A" in page
    assert "team%3Ared&amp;attribute=team%3Ared" not in page


@pytest.mark.parametrize(
    "query", ["group_by=attribute:nothing", "group=attribute:", "list=attribute:nothing", "group=attribute:team'"]
)
def test_a_grouping_that_does_not_exist_is_said(world: World, month: str, client_of: SignIn, query: str) -> None:
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}&{query}")
    assert "was ignored; it can be model, project" in page


@pytest.mark.parametrize(
    "value", ["team", "team:never", "nothing:red", "", ":", "*", "team:%00", "team:" + "x" * 200, "nothing:"]
)
def test_a_value_that_does_not_exist_is_said(world: World, month: str, client_of: SignIn, value: str) -> None:
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}&attribute={value}")
    assert ("no such usage was found" in page) == bool(value)
    assert sum(bars(figures(page)["requests"]).values()) == 31


def test_a_withdrawn_attribute_is_not_offered(world: World, month: str, client_of: SignIn) -> None:
    Attribute.objects.update(withdrawn_at="2026-01-01T00:00Z")
    page = page_of(client_of(world.alice), f"{ACTIVITY}?{month}")
    assert "attribute:team" not in page
    assert "Top teams" not in page


def test_a_parent_sees_one_attribute_where_its_children_declare_the_same_name(
    world: World, month: str, client_of: SignIn
) -> None:
    join(world.rita, world.labs, role="reader")
    declare(world.labs, "team", "Squad")
    declare(world.labs, "stage", "Stage")
    make_project(organization=world.labs, name="Search")
    use(world, world.rita, 32, world.labs, project="Search", team="red", stage="live")
    client = client_of(world.alice)
    by_team = bars(figures(page_of(client, f"{ACTIVITY}?{month}&group=attribute:team"))["requests"])
    assert by_team == {"red": 35, "a:b & <i>": 4, "No team": 8, "Other values": 16}
    by_stage = bars(figures(page_of(client, f"{ACTIVITY}?{month}&group=attribute:stage"))["requests"])
    assert by_stage == {"live": 32, "No stage": 31}
    page = page_of(client, f"{ACTIVITY}?{month}&group=project")
    assert (
        bars(figures(page)["requests"]) == {"Search": 32, "Default project": 26}
        or len(bars(figures(page)["requests"])) == 2
    )
    assert [name for name, _ in top_list(page, "Top projects")] == ["Search", "Default project", "Search"]


def test_a_list_of_all_values_is_searched(world: World, month: str, client_of: SignIn) -> None:
    for view in ("activity", "cost"):
        page = page_of(client_of(world.alice), f"{USAGE}/{view}/?{month}&list=attribute:team")
        assert "All teams" in page
        found = page_of(client_of(world.alice), f"{USAGE}/{view}/?{month}&list=attribute:team&q=NO+TEA")
        assert "No team" in found
        assert ">red<" not in found


def test_who_sees_their_own_usage_sees_their_own_projects_and_values(
    world: World, month: str, client_of: SignIn
) -> None:
    Organization.objects.filter(pk=world.acme.pk).update(usage_visibility="owners_and_admins")
    client = client_of(world.rita)
    page = page_of(client, f"{ACTIVITY}?{month}&group=attribute:team")
    assert bars(figures(page)["requests"]) == {"red": 3}
    assert top_list(page, "Top projects") == [("Default project", "2"), ("Search", "1")]
    assert "no such usage was found" in page_of(client, f"{ACTIVITY}?{month}&attribute=team:a:b+%26+%3Ci%3E")
    assert "no such usage" not in page_of(client, f"{ACTIVITY}?{month}&attribute=team:red")
