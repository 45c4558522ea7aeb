"""The vendor's own client, with another base URL and nothing else, reads every address."""

import openai
import pytest

from exports.openai_api.endpoints import USAGE
from tests.exports.openai_api.filled import NUM_DAYS, Filled, fill, make_admin_key, openai_client
from tests.world import World


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


def test_it_reads_usage_of_every_type_as_it_was_sent(world: World, filled: Filled) -> None:
    usage = openai_client(make_admin_key(world.acme)).admin.organization.usage
    for endpoint in USAGE:
        page = getattr(usage, endpoint.name)(start_time=filled.start, group_by=list(endpoint.groups[:1]), limit=31)
        results = [result for bucket in page.data for result in bucket.results]
        name = next(iter(endpoint.fields))
        measure = "num_model_requests" if name == "num_requests" else name
        expected = sum(event[measure] for event in filled.events if event["usage_type"] == endpoint.name)
        assert sum(getattr(result, name) for result in results) == expected > 0, endpoint.name


def test_it_follows_pages_and_sends_its_filters(world: World, filled: Filled) -> None:
    usage = openai_client(make_admin_key(world.acme)).admin.organization.usage
    groups, models = ["model", "batch"], ["gpt-4o"]
    page = usage.completions(start_time=filled.start, group_by=groups, models=models, batch=True, limit=1)  # type: ignore[arg-type]
    found, num_pages = [], 1
    found += page.data
    while page.has_more:
        assert page.next_page is not None
        page = usage.completions(
            start_time=filled.start,
            group_by=groups,  # type: ignore[arg-type]
            models=models,
            batch=True,
            limit=1,
            page=page.next_page,
        )
        found += page.data
        num_pages += 1
    results = [result for bucket in found for result in bucket.results]
    assert num_pages == NUM_DAYS + 1
    assert {(result.model, result.batch) for result in results} == {("gpt-4o", True)}  # type: ignore[union-attr]


def test_it_reads_costs_projects_users_keys_and_limits(world: World, filled: Filled) -> None:
    organization = openai_client(make_admin_key(world.acme)).admin.organization
    costs = organization.usage.costs(start_time=filled.start, group_by=["line_item", "project_id"], limit=180)
    assert sum(result.amount.value for bucket in costs.data for result in bucket.results) > 0  # type: ignore[union-attr,misc]
    projects = list(organization.projects.list(limit=1))
    assert {project.id for project in projects} > set(filled.projects)
    assert organization.projects.retrieve(filled.projects[0]).name == "Search"
    assert [user.email for user in organization.users.list()] == ["alice@acme.test", "bob@acme.test", "rita@acme.test"]
    assert [key.name for key in organization.admin_api_keys.list()] == ["Grafana"]
    default = next(project for project in projects if project.name == "Default project" and project.id != "default")
    assert len(list(organization.projects.api_keys.list(default.id))) == 7
    assert list(organization.spend_alerts.list()) == []
    with pytest.raises(openai.NotFoundError):
        organization.spend_limit.retrieve()


def test_it_raises_its_own_errors(world: World, filled: Filled) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai_client("sk-admin-" + "x" * 40).admin.organization.usage.costs(start_time=filled.start)
    with pytest.raises(openai.PermissionDeniedError, match="`costs`"):
        openai_client(make_admin_key(world.acme, "usage")).admin.organization.usage.costs(start_time=filled.start)
    with pytest.raises(openai.BadRequestError, match="integer above maximum value") as refused:
        openai_client(make_admin_key(world.acme)).admin.organization.usage.costs(start_time=filled.start, limit=10_000)
    assert (refused.value.param, refused.value.code) == ("limit", "integer_above_max_value")
    assert refused.value.request_id
