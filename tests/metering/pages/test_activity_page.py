"""The Activity page shows what was used, of the right people, and nothing else."""

import html
import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Organization, User
from metering.measures import UsageType
from tests.usage.rollup_rows import add_usage, make_key, sku_of
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/usage/activity/"
MARCH = f"{PAGE}?month=2026-03"
DAY = date(2026, 3, 14)


@pytest.fixture
def usage(world: World) -> World:
    """Rita's and Bob's usage of 14 March 2026 in Acme, some of it untracked, Alice's in Acme Labs, Charlie's elsewhere."""
    gpt, o3, whisper = sku_of("gpt-4o"), sku_of("o3"), sku_of("whisper-1", UsageType.AUDIO_TRANSCRIPTIONS)
    key = make_key(world.rita, "search-prod")
    tokens = {"input_tokens": 1_000_000, "input_cached_tokens": 400_000, "output_tokens": 50_000}
    add_usage(world.acme, DAY, world.rita, key, gpt, num_model_requests=1200, **tokens)
    add_usage(world.acme, DAY, world.bob, None, o3, num_model_requests=34, input_tokens=5_000, output_tokens=500)
    add_usage(world.acme, DAY.replace(day=15), world.bob, None, whisper, num_model_requests=7, seconds=7200)
    add_usage(world.labs, DAY, world.alice, None, gpt, num_model_requests=300, input_tokens=70)
    add_usage(world.other, DAY, world.charlie, None, sku_of("their-model"), num_model_requests=999_999)
    return world


def page_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def figures(page: str) -> dict[str, Any]:
    """The Plotly figures of a page by the id of their chart."""
    found = re.findall(r'id="chart-([a-z-]+)".*?<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return {chart: json.loads(text) for chart, text in found}


def bars(figure: dict[str, Any]) -> dict[str, float]:
    return {html.unescape(trace["name"]): sum(trace["y"]) for trace in figure["data"] if trace["type"] == "bar"}


def top_list(page: str, title: str) -> list[tuple[str, str]]:
    section = page.split(f'<section class="card" aria-label="{title}">')[1].split("</section>", maxsplit=1)[0]
    names = re.findall(r'class="top-name[^>]*>([^<]*)<', section)
    return list(zip(names, re.findall(r'class="top-value">([^<]*)<', section), strict=True))


def test_there_is_a_chart_for_each_capability_with_data_and_no_other(usage: World, client_of: SignIn) -> None:
    drawn = figures(page_of(client_of(usage.alice), MARCH))
    assert list(drawn) == ["requests", "tokens", "seconds"]
    assert bars(drawn["requests"]) == {"gpt-4o": 1500, "o3": 34, "whisper-1": 7}
    assert bars(drawn["tokens"]) == {"Context": 605_070, "Cached": 400_000, "Generated": 50_500}
    assert bars(drawn["seconds"]) == {"whisper-1": 7200}


def test_totals_stand_in_the_caption_and_in_the_table(usage: World, client_of: SignIn) -> None:
    page = page_of(client_of(usage.alice), MARCH)
    assert '<span class="card-total" title="1,541">1,541</span>' in page
    assert '<span class="card-total" title="1,055,570">1.06M</span>' in page
    assert '<span class="card-total" title="7,200 s">2.0 hours</span>' in page
    assert re.search(r'month=2026-03&amp;day=2026-03-14">Mar 14</a>\s*</th>\s*<td class="number">1,500</td>', page)


def test_lists_rank_users_organizations_and_keys_with_untracked(usage: World, client_of: SignIn) -> None:
    page = page_of(client_of(usage.alice), MARCH)
    assert top_list(page, "Top users") == [("Rita Rao", "1,200"), ("Alice Ames", "300"), ("Bob Byrd", "41")]
    assert top_list(page, "Top organizations") == [("Acme", "1,241"), ("Acme Labs", "300")]
    assert top_list(page, "Top API keys") == [("search-prod", "1,200"), ("Untracked", "341")]
    by_tokens = page_of(client_of(usage.alice), f"{MARCH}&rank=tokens")
    assert top_list(by_tokens, "Top users")[1] == ("Bob Byrd", "5.50k")


@pytest.mark.parametrize("group", ["model", "user", "api_key", "organization"])
def test_every_grouping_adds_up_to_the_same_total(usage: World, client_of: SignIn, group: str) -> None:
    drawn = figures(page_of(client_of(usage.alice), f"{MARCH}&group={group}&tokens=group"))
    assert sum(bars(drawn["requests"]).values()) == 1541
    assert sum(bars(drawn["tokens"]).values()) == 1_055_570


def test_a_row_of_a_list_leads_to_the_page_narrowed_to_it(usage: World, client_of: SignIn) -> None:
    client = client_of(usage.alice)
    address = f"{MARCH}&user={usage.rita.public_id}"
    assert address.replace("&", "&amp;") in page_of(client, MARCH)
    page = page_of(client, address)
    assert bars(figures(page)["requests"]) == {"gpt-4o": 1200}
    assert 'aria-label="Remove filter User Rita Rao"' in page


def test_untracked_usage_can_be_filtered_by(usage: World, client_of: SignIn) -> None:
    page = page_of(client_of(usage.alice), f"{MARCH}&api_key=untracked&group=api_key")
    requests = figures(page)["requests"]
    assert bars(requests) == {"Untracked": 341}
    assert requests["data"][0]["marker"]["color"] == "var(--untracked)"


def test_more_than_seven_parts_end_in_other(world: World, client_of: SignIn) -> None:
    for n in range(10):
        add_usage(world.acme, DAY, world.rita, None, sku_of(f"model-{n}"), num_model_requests=10 + n)
    page = page_of(client_of(world.alice), MARCH)
    drawn = bars(figures(page)["requests"])
    assert list(drawn) == [*(f"model-{n}" for n in range(9, 2, -1)), "Other"]
    assert drawn["Other"] == 10 + 11 + 12
    assert "Other, 3 models" in page


def test_a_model_keeps_its_colour_whatever_is_shown_beside_it(usage: World, client_of: SignIn) -> None:
    client = client_of(usage.alice)
    colors = [
        {
            trace["name"]: trace["marker"]["color"]
            for trace in figures(page_of(client, address))["requests"]["data"]
            if trace["type"] == "bar"
        }
        for address in (MARCH, f"{MARCH}&model=o3", f"{MARCH}&user={usage.bob.public_id}")
    ]
    assert len({found["o3"] for found in colors}) == 1
    assert len(set(colors[0].values())) == len(colors[0])


def test_charts_end_today_and_the_axis_shows_the_whole_month(usage: World, client_of: SignIn) -> None:
    figure = figures(page_of(client_of(usage.alice), MARCH))["requests"]
    assert len(figure["data"][0]["y"]) == 31
    assert figure["layout"]["xaxis"]["ticktext"] == ["Mar 1", "Mar 8", "Mar 15", "Mar 22", "Mar 29"]


def test_a_reader_of_a_closed_organization_sees_their_own_usage_and_is_told(usage: World, client_of: SignIn) -> None:
    Organization.objects.filter(pk=usage.acme.pk).update(usage_visibility="owners_and_admins")
    page = page_of(client_of(usage.rita), MARCH)
    assert bars(figures(page)["requests"]) == {"gpt-4o": 1200}
    assert "You see only your own usage" in page
    assert "Bob Byrd" not in page
    assert "Bob Byrd" not in page_of(client_of(usage.rita), f"{MARCH}&group=user&user={usage.bob.public_id}")


def test_an_outsider_finds_nothing(usage: World, client_of: SignIn) -> None:
    assert client_of(usage.charlie).get(MARCH).status_code == 404
    assert Client().get(MARCH).status_code == 302


def test_another_organizations_usage_never_shows(usage: World, client_of: SignIn) -> None:
    page = page_of(client_of(usage.alice), MARCH)
    assert "their-model" not in page
    child = page_of(client_of(usage.charlie), "/settings/organization/other/usage/activity/?month=2026-03")
    assert "Acme" not in child


@pytest.mark.parametrize(
    "query",
    [
        "month=2026-13&group=nothing",
        "month=2026-02-30",
        "user=nobody&api_key=%00&organization=org_1&usage_type=singing&model=" + "x" * 10_000,
        "rank=gold&rank=silver&tokens=0",
        "model=" + quote("</script><script>alert(1)</script>"),
    ],
)
def test_a_bad_query_string_is_a_page_that_says_what_it_ignored(usage: World, client_of: SignIn, query: str) -> None:
    page = page_of(client_of(usage.alice), f"{PAGE}?{query}")
    assert '<div class="notice warning" role="status">' in page
    assert "<script>alert" not in page


def test_a_model_named_like_a_script_is_text(world: World, client_of: SignIn) -> None:
    name = "</script><script>alert(1)</script>"
    add_usage(world.acme, DAY, world.rita, None, sku_of(name), num_model_requests=1)
    page = page_of(client_of(world.alice), MARCH)
    assert "<script>alert" not in page
    assert bars(figures(page)["requests"]) == {name: 1}


def test_only_owners_see_the_export_button(usage: World, client_of: SignIn) -> None:
    export = 'href="/settings/organization/acme/usage/activity/export/?month=2026-03"'
    assert export in page_of(client_of(usage.alice), MARCH)
    assert "export.csv" not in page_of(client_of(usage.bob), MARCH)
    assert "export.csv" not in page_of(client_of(usage.rita), MARCH)


def test_the_switch_to_cost_keeps_the_view(usage: World, client_of: SignIn) -> None:
    page = page_of(client_of(usage.alice), f"{MARCH}&group=user&model=o3")
    assert 'href="/settings/organization/acme/usage/cost/?month=2026-03&amp;group=user&amp;model=o3"' in page


def test_a_new_organization_learns_how_to_send_an_event(world: World, client_of: SignIn) -> None:
    page = page_of(client_of(world.alice), PAGE)
    assert "No usage yet" in page
    assert "curl http://localhost:8000/v1/usage/events" in page


def test_a_month_without_usage_says_so(usage: World, client_of: SignIn) -> None:
    assert "No usage in February 2026" in page_of(client_of(usage.alice), f"{PAGE}?month=2026-02")


def test_huge_numbers_stay_whole(world: World, client_of: SignIn) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku_of("gpt-4o"), num_model_requests=1, input_tokens=2**63 - 1)
    add_usage(world.acme, DAY, world.bob, None, sku_of("gpt-4o"), num_model_requests=1, input_tokens=2**63 - 1)
    page = page_of(client_of(world.alice), MARCH)
    assert "18,446,744,073,709,551,614" in page


def test_corrections_below_zero_are_drawn_and_counted(world: World, client_of: SignIn) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku_of("gpt-4o"), num_model_requests=-5)
    add_usage(world.acme, DAY, world.rita, None, sku_of("o3"), num_model_requests=7)
    page = page_of(client_of(world.alice), MARCH)
    assert '<span class="card-total" title="2">2</span>' in page
    assert bars(figures(page)["requests"]) == {"o3": 7, "gpt-4o": -5}


@pytest.mark.parametrize("query", ["", "&group=api_key", "&group=user&model=o3&api_key=untracked"])
def test_the_number_of_queries_does_not_grow(usage: World, client_of: SignIn, query: str) -> None:
    client = client_of(usage.alice)
    with CaptureQueriesContext(connection) as few:
        client.get(MARCH + query)
    for n in range(30):
        key = make_key(usage.bob, f"key-{n}")
        add_usage(usage.acme, DAY, usage.bob, key, sku_of(f"model-{n}"), num_model_requests=n + 1)
    with CaptureQueriesContext(connection) as many:
        client.get(MARCH + query)
    assert len(many) == len(few) <= 12


def test_usage_leads_to_the_default_organization(world: World, client_of: SignIn) -> None:
    assert client_of(world.alice).get("/usage").headers["Location"] == PAGE
