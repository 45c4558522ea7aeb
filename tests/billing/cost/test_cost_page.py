"""The Cost page shows what usage costs, exactly, and every breakdown adds up to the same amount."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Organization, User
from accounts.periods import Period, month_of
from billing.alerts import Budget
from billing.display import axis_dollars, dollars, exact_dollars
from billing.models import CreditGrant, Invoice, LineItem
from metering.pages.charts import ComparedDays, compared_days
from tests.metering.pages.test_activity_page import bars, figures, page_of
from tests.usage.rollup_rows import add_cost, add_usage, make_key, sku_of
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/usage/cost/"
MARCH = f"{PAGE}?month=2026-03"
DAY = date(2026, 3, 14)


@pytest.fixture
def spent(world: World) -> World:
    """In March 2026 Acme spent $12.50 on gpt-4o and $3.00 on o3, Acme Labs $0.25; mistral has no price. February: $10."""
    gpt, o3, mistral = sku_of("gpt-4o"), sku_of("o3"), sku_of("mistral")
    key = make_key(world.rita, "search-prod")
    add_usage(world.acme, DAY, world.rita, key, gpt, num_model_requests=10, input_tokens=4_000_000, output_tokens=0)
    add_usage(world.acme, DAY, world.bob, None, gpt, num_model_requests=5, input_tokens=1_000_000)
    add_usage(world.acme, DAY.replace(day=20), world.bob, None, o3, num_model_requests=5, output_tokens=1_000_000)
    add_usage(world.acme, DAY, world.bob, None, mistral, num_model_requests=312, input_tokens=77)
    add_usage(world.labs, DAY, world.alice, None, gpt, num_model_requests=1, input_tokens=100_000)
    add_cost((world.acme, DAY, gpt), LineItem.INPUT, 5_000_000, "0.0000025")
    add_cost((world.acme, DAY.replace(day=20), o3), LineItem.OUTPUT, 1_000_000, "0.000003")
    add_cost((world.acme, DAY, mistral), LineItem.INPUT, 77, None)
    add_cost((world.labs, DAY, gpt), LineItem.INPUT, 100_000, "0.0000025")
    add_usage(world.acme, date(2026, 2, 3), world.bob, None, gpt, num_model_requests=1, input_tokens=4_000_000)
    add_cost((world.acme, date(2026, 2, 3), gpt), LineItem.INPUT, 4_000_000, "0.0000025")
    return world


def rows(page: str) -> list[list[str]]:
    """The cells of the table of parts, as text."""
    table = page.split('<table class="table parts">')[1].split("</table>", maxsplit=1)[0]
    body = table.split("<tbody>")[1]
    cells = [
        re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]
    return [[" ".join(re.sub(r"<.*?>", " ", cell).split()) for cell in row] for row in cells]


def test_the_spend_of_the_month_and_its_change(spent: World, client_of: SignIn) -> None:
    page = page_of(client_of(spent.alice), MARCH)
    assert '<p class="figure-value" title="$15.75">$15.75</p>' in page
    assert "+57.5%" in page
    assert "vs. Feb 1–28" in page


def test_the_table_of_parts(spent: World, client_of: SignIn) -> None:
    assert rows(page_of(client_of(spent.alice), MARCH)) == [
        ["gpt-4o", "5.10M tokens", "$12.75", "81.0%"],
        ["o3", "1.00M tokens", "$3.00", "19.0%"],
        ["mistral", "77 tokens", "Unpriced", "–"],
    ]


def test_unpriced_usage_is_told_with_its_requests_and_never_as_nothing(spent: World, client_of: SignIn) -> None:
    page = page_of(client_of(spent.alice), MARCH)
    assert re.search(r'312 requests to <a href="[^"]*model=mistral"><strong>mistral</strong></a>', page)


@pytest.mark.parametrize("group", ["model", "user", "api_key", "organization", "line_item"])
def test_every_grouping_adds_up_to_the_same_amount(spent: World, client_of: SignIn, group: str) -> None:
    page = page_of(client_of(spent.alice), f"{MARCH}&group={group}")
    assert "$15.75</p>" in page
    assert sum(bars(figures(page)["cost"]).values()) == pytest.approx(15.75)
    amounts = [row[2] for row in rows(page)]
    assert sum(Decimal(text[1:]) for text in amounts if text != "Unpriced") == Decimal("15.75")


def test_the_notice_names_the_twenty_largest_models_without_a_price(world: World, client_of: SignIn) -> None:
    for number in range(1, 24):
        sku = sku_of(f"new-{number}")
        add_usage(world.acme, DAY, world.bob, None, sku, num_model_requests=number, input_tokens=7)
        add_cost((world.acme, DAY, sku), LineItem.INPUT, 7, None)
    page = page_of(client_of(world.alice), MARCH)
    notice = " ".join(re.sub(r"<.*?>", "", page.split('class="notice warning"')[1].split("</div>")[0]).split())
    assert "23 requests to new-23 , 22 requests to new-22" in notice
    assert "4 requests to new-4 and 6 requests to 3 other models have no price yet" in notice


def test_one_request_without_a_price_is_told_in_the_singular(world: World, client_of: SignIn) -> None:
    sku = sku_of("new")
    add_usage(world.acme, DAY, world.bob, None, sku, num_model_requests=1, input_tokens=7)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 7, None)
    page = " ".join(re.sub(r"<.*?>", "", page_of(client_of(world.alice), MARCH)).split())
    assert "1 request to new has no price yet and is not included." in page


def test_the_cost_of_a_key_is_its_own_quantity_at_the_organizations_price(spent: World, client_of: SignIn) -> None:
    by_key = rows(page_of(client_of(spent.alice), f"{MARCH}&group=api_key"))
    assert [(row[0], row[2]) for row in by_key] == [("search-prod sk-...q9Z", "$10.00"), ("Untracked", "$5.75")]
    page = page_of(client_of(spent.alice), f"{MARCH}&user={spent.bob.public_id}")
    assert "$5.50</p>" in page
    assert "312 requests" in page


def test_cumulative_adds_the_days_up(spent: World, client_of: SignIn) -> None:
    figure = figures(page_of(client_of(spent.alice), f"{MARCH}&chart=cumulative"))["cost"]
    series = {trace["name"]: trace["y"] for trace in figure["data"]}
    assert series["gpt-4o"][12:15] == [0, 12.75, 12.75]
    assert series["o3"][-1] == 3


def test_models_have_the_colours_of_the_activity_page(spent: World, client_of: SignIn) -> None:
    client = client_of(spent.alice)
    drawn = [
        figures(page_of(client, MARCH))["cost"]["data"],
        figures(page_of(client, MARCH.replace("cost", "activity")))["requests"]["data"],
    ]
    colors = [{trace["name"]: trace["marker"]["color"] for trace in data if trace["type"] == "bar"} for data in drawn]
    assert colors[0]["gpt-4o"] == colors[1]["gpt-4o"]
    assert colors[0]["o3"] == colors[1]["o3"]


def test_a_reader_of_a_closed_organization_sees_their_own_cost(spent: World, client_of: SignIn) -> None:
    Organization.objects.filter(pk=spent.acme.pk).update(usage_visibility="owners_and_admins")
    page = page_of(client_of(spent.rita), MARCH)
    assert "$10.00</p>" in page
    assert "mistral" not in page


def test_an_outsider_finds_nothing(spent: World, client_of: SignIn) -> None:
    assert client_of(spent.charlie).get(MARCH).status_code == 404


def test_credit_grants_are_for_owners_and_admins(spent: World, client_of: SignIn) -> None:
    CreditGrant.objects.create(
        organization=spent.acme,
        name="Prepaid",
        amount=20,
        category="paid",
        effective_at=datetime(2026, 2, 1, tzinfo=UTC),
        expires_at=datetime(2027, 2, 1, tzinfo=UTC),
    )
    page = page_of(client_of(spent.bob), MARCH)
    grants = page.split('aria-label="Credit grants"')[1]
    assert re.findall(r"<td.*?>(\$[^<]*)</td>", grants) == ["$0.00", "$20.00", "$20.00"]
    assert "Used up" in grants
    assert "Credit grants" not in page_of(client_of(spent.rita), MARCH)
    february = page_of(client_of(spent.bob), f"{PAGE}?month=2026-02").split('aria-label="Credit grants"')[1]
    assert re.findall(r"<td.*?>(\$[^<]*)</td>", february) == ["$10.00", "$10.00", "$20.00"]


def test_a_grant_that_has_nothing_to_do_with_the_month_is_left_out(spent: World, client_of: SignIn) -> None:
    CreditGrant.objects.create(
        organization=spent.acme,
        name="Later",
        amount=20,
        category="paid",
        effective_at=datetime(2026, 5, 1, tzinfo=UTC),
    )
    assert "Later" not in page_of(client_of(spent.bob), MARCH)


def test_a_new_organization_learns_how_to_send_an_event(world: World, client_of: SignIn) -> None:
    assert "No usage yet" in page_of(client_of(world.alice), PAGE)


def test_a_month_without_cost_is_no_error(spent: World, client_of: SignIn) -> None:
    page = page_of(client_of(spent.alice), f"{PAGE}?month=2026-01")
    assert "No usage in January 2026" in page


def test_a_bad_query_string_is_a_page_that_says_what_it_ignored(spent: World, client_of: SignIn) -> None:
    page = page_of(client_of(spent.alice), f"{PAGE}?chart=pie&group=zodiac&month=13&model={'x' * 10_000}")
    assert page.count("was ignored") == 3


# By key and user one more: what is charged for at all, so that nothing else is reckoned for each of them.
QUERIES = [("", 13), ("&group=api_key", 14), ("&group=user&model=gpt-4o&api_key=untracked", 13)]


@pytest.mark.parametrize(("query", "most"), QUERIES)
def test_the_number_of_queries_does_not_grow(spent: World, client_of: SignIn, query: str, most: int) -> None:
    CreditGrant.objects.create(
        organization=spent.acme,
        name="Prepaid",
        amount=20,
        category="paid",
        effective_at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    client = client_of(spent.alice)
    with CaptureQueriesContext(connection) as few:
        client.get(MARCH + query)
    for n in range(30):
        sku = sku_of(f"model-{n}")
        add_usage(spent.acme, DAY, spent.bob, make_key(spent.bob, f"key-{n}"), sku, input_tokens=n + 1)
        add_cost((spent.acme, DAY, sku), LineItem.INPUT, n + 1, "0.01")
    with CaptureQueriesContext(connection) as many:
        client.get(MARCH + query)
    assert len(many) == len(few) <= most


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.004", "<$0.01"),
        ("-0.004", "−<$0.01"),
        ("0.01", "$0.01"),
        ("1234.565", "$1,234.56"),
        ("1234.575", "$1,234.58"),
        ("-2", "−$2.00"),
    ],
)
def test_money_is_written_to_the_cent(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


def test_exact_money_has_all_digits() -> None:
    assert exact_dollars(Decimal("0.003675100000")) == "$0.0036751"
    assert exact_dollars(Decimal(1200)) == "$1,200.00"
    assert [axis_dollars(Decimal(text)) for text in ("0", "20", "1500", "0.0025", "25000")] == [
        "$0",
        "$20",
        "$1,500",
        "$0.0025",
        "$25k",
    ]


def test_the_same_days_of_the_month_before() -> None:
    march = month_of(DAY)
    february = month_of(date(2026, 2, 1))
    assert compared_days(march, date(2026, 3, 1)) is None
    assert compared_days(march, date(2026, 3, 5)) == ComparedDays(
        Period(date(2026, 3, 1), date(2026, 3, 5)), Period(date(2026, 2, 1), date(2026, 2, 5)), "Feb 1–4, whole days"
    )
    assert compared_days(march, date(2026, 3, 31)) == ComparedDays(
        Period(date(2026, 3, 1), date(2026, 3, 29)), february, "Feb 1–28, whole days"
    )
    assert compared_days(march, date(2026, 7, 1)) == ComparedDays(march, february, "Feb 1–28")


@pytest.mark.parametrize(("query", "most"), QUERIES)
def test_an_owner_with_grants_invoices_and_a_budget_costs_few_queries(
    spent: World, client_of: SignIn, query: str, most: int
) -> None:
    CreditGrant.objects.create(
        organization=spent.acme,
        name="Prepaid",
        amount=20,
        category="paid",
        effective_at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    Budget.objects.create(organization=spent.acme, amount=100)
    for month in (1, 2, 3):
        Invoice.objects.create(payer=spent.acme, month=date(2026, month, 1), subtotal=7, total=7, due=7)
    client = client_of(spent.alice)
    with CaptureQueriesContext(connection) as queries:
        page = page_of(client, MARCH + query)
    assert len(queries) <= most
    assert ("$7.00" in page) == ("model=" not in query)
