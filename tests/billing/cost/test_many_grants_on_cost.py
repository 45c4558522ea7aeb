"""The Cost page of an organization with thousands of credit grants: a page of them, and every one on some page."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.pages.lists import PAGE_ROWS
from billing.invoices.grants import balances
from billing.models import CreditGrant
from tests.billing.pages.test_many_grants_and_webhooks import make_many
from tests.metering.pages.test_activity_page import page_of
from tests.money import set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/usage/cost/"
OCTOBER = f"{PAGE}?month=2026-10"
MANY = 1_000
MOST_BYTES = 200_000


def use_credit(world: World) -> None:
    """$250.50, which the first grants pay."""
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "m", input_tokens=25_050)


def grants(page: str) -> list[tuple[int, Decimal]]:
    """The number of each grant on the page, and the dollars of it that are used."""
    listed = page.split('id="grants"')[1].split("</section>", maxsplit=1)[0] if 'id="grants"' in page else ""
    rows = re.findall(r"Grant (\d+)</th>(.*?)</tr>", listed, re.DOTALL)
    return [(int(number), Decimal(re.findall(r"\$([\d.]+)", cells)[1])) for number, cells in rows]


def pager(page: str, end: str) -> str:
    return unescape(re.findall(rf'id="grant-list-{end}"\s+class="button"\s+href="([^"]*)"', page)[0])


def test_grants_are_a_hundred_at_a_time_and_all_are_counted(world: World, client_of: SignIn) -> None:
    use_credit(world)
    make_many(world.acme, 0, MANY)
    page = page_of(client_of(world.alice), OCTOBER)
    assert [number for number, _ in grants(page)] == list(range(PAGE_ROWS))
    assert "1,000 grants · Page 1 of 10" in page
    assert pager(page, "next") == "?month=2026-10&grant=2#grants"
    assert len(page) < MOST_BYTES


def test_the_pages_together_have_every_grant_once_with_what_is_used(world: World, client_of: SignIn) -> None:
    use_credit(world)
    make_many(world.acme, 0, 350)
    client = client_of(world.bob)
    shown = [row for number in range(1, 5) for row in grants(page_of(client, f"{OCTOBER}&grant={number}"))]
    assert [number for number, _ in shown] == list(range(350))
    assert sum(used for _, used in shown) == Decimal("250.50")
    assert [used for _, used in shown] == [found.used for found in balances(world.acme, date(2026, 10, 31))]


def test_a_page_that_is_not_there_is_the_last_one_and_one_page_has_no_pager(world: World, client_of: SignIn) -> None:
    use_credit(world)
    make_many(world.acme, 0, 101)
    client = client_of(world.alice)
    assert [number for number, _ in grants(page_of(client, f"{OCTOBER}&grant=99"))] == [100]
    wrong = page_of(client, f"{OCTOBER}&grant=x")
    assert "“grant=x” was ignored; it is a number from 1 to 10000." in wrong
    assert len(grants(wrong)) == PAGE_ROWS
    CreditGrant.objects.filter(name="Grant 00100").delete()
    assert "grant-list-" not in page_of(client, OCTOBER)


def test_another_view_begins_with_the_first_grants(world: World, client_of: SignIn) -> None:
    use_credit(world)
    make_many(world.acme, 0, 250)
    page = page_of(client_of(world.alice), f"{OCTOBER}&grant=2")
    assert "Page 2 of 3" in page
    leading_on = {unescape(found) for found in re.findall(r'href="([^"]*)"', page) if "grant=" in found}
    assert leading_on == {"?month=2026-10&grant=1#grants", "?month=2026-10&grant=3#grants"}
    assert not grants(page_of(client_of(world.alice), f"{OCTOBER}&model=m&grant=2"))
    assert not grants(page_of(client_of(world.rita), f"{OCTOBER}&grant=2"))


def test_more_grants_need_no_more_queries(world: World, client_of: SignIn) -> None:
    use_credit(world)
    make_many(world.acme, 0, 2)
    client = client_of(world.alice)
    page_of(client, OCTOBER)
    with CaptureQueriesContext(connection) as few:
        page_of(client, f"{OCTOBER}&chart=cumulative")
    make_many(world.acme, 2, 300)
    with CaptureQueriesContext(connection) as many:
        page_of(client, f"{OCTOBER}&grant=2")
    assert len(many) <= len(few)
