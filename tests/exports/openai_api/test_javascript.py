"""JavaScript reads the admin API: the addresses are spelled as the vendor's npm client (`openai` 6.49) spells them, and
fetched by node, the one that Playwright brings."""

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import playwright
import pytest
from django.db.models import Sum
from pytest_django.live_server_helper import LiveServer

from billing.models import DailyCost
from exports.openai_api.endpoints import USAGE
from tests.exports.openai_api.filled import Filled, fill, make_admin_key, results_of
from tests.world import World

NODE: Final = Path(playwright.__file__).parent / "driver" / "node"
FETCH: Final = Path(__file__).with_name("fetch.mjs")
SECONDS: Final = 60
PREFIX: Final = "/v1/organization"
SLACK: Final = Decimal("1e-9")


@pytest.fixture
def filled(live_server: LiveServer, world: World) -> Filled:
    return fill(world)


def fetch(server: LiveServer, secret: str, *addresses: str) -> list[Any]:
    """The bodies, all of them answers with 200."""
    done = subprocess.run(
        [str(NODE), str(FETCH), server.url, secret, *(PREFIX + address for address in addresses)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    answers = json.loads(done.stdout)
    assert [answer["status"] for answer in answers] == [200] * len(addresses), answers
    return [answer["body"] for answer in answers]


def test_usage_and_costs_are_read_as_they_were_sent(live_server: LiveServer, world: World, filled: Filled) -> None:
    start = f"?start_time={filled.start}&group_by%5B%5D="
    addresses = [f"/usage/{endpoint.name}{start}project_id&limit=31" for endpoint in USAGE]
    costs = f"/costs{start}line_item&group_by%5B%5D=project_id&limit=180"
    *pages, cost = fetch(live_server, make_admin_key(world.acme), *addresses, costs)
    for endpoint, page in zip(USAGE, pages, strict=True):
        name = next(iter(endpoint.fields))
        measure = "num_model_requests" if name == "num_requests" else name
        expected = sum(event[measure] for event in filled.events if event["usage_type"] == endpoint.name)
        assert sum(row[name] for row in results_of([page])) == expected > 0, endpoint.name
    rated = DailyCost.objects.aggregate(total=Sum("amount"))["total"]
    assert abs(sum(Decimal(str(row["amount"]["value"])) for row in results_of([cost])) - rated) < SLACK
    assert sum(Decimal(row["amount"]["x_value"]) for row in results_of([cost])) == rated > 0


def test_arrays_booleans_and_lists_are_read_as_that_client_spells_them(
    live_server: LiveServer, world: World, filled: Filled
) -> None:
    project = filled.projects[0]
    page, users, projects, keys, admin_keys = fetch(
        live_server,
        make_admin_key(world.acme),
        f"/usage/completions?start_time={filled.start}&group_by%5B%5D=model&group_by%5B%5D=user_id&group_by%5B%5D=batch"
        f"&models%5B%5D=gpt-4o&models%5B%5D=gpt-x&project_ids%5B%5D={project}&batch=false&bucket_width=1h&limit=168",
        "/users?limit=2&emails%5B%5D=rita%40acme.test&emails%5B%5D=bob%40acme.test",
        "/projects?limit=1&after=default",
        "/projects/default/api_keys?limit=2",
        "/admin_api_keys?order=desc&limit=1",
    )
    sent = sum(
        event["input_tokens"]
        for event in filled.events
        if (event["usage_type"], event["model"], event["project_id"], event["batch"])
        == ("completions", "gpt-4o", project, False)
    )
    assert sum(row["input_tokens"] for row in results_of([page])) == sent
    assert {(row["model"], row["batch"]) for row in results_of([page])} <= {("gpt-4o", False)}
    assert [user["email"] for user in users["data"]] == ["bob@acme.test", "rita@acme.test"]
    assert (len(projects["data"]), projects["has_more"], keys["data"]) == (1, True, [])
    assert [key["name"] for key in admin_keys["data"]] == ["Grafana"]
