"""The Billing page of an organization with thousands of credit grants and webhooks: page by page, each list by itself."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Organization, User
from accounts.pages.lists import PAGE_ROWS
from billing.alerts import WebhookEndpoint
from billing.models import CreditGrant
from tests.money import at, set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/billing/"
MANY = 1_000
MOST_BYTES = 400_000


def make_many(organization: Organization, first: int, last: int) -> None:
    """So many grants of a dollar, each a second after the one before, and as many webhooks."""
    CreditGrant.objects.bulk_create(
        CreditGrant(
            organization=organization,
            name=f"Grant {number:05}",
            amount=1,
            category="paid",
            priority=1,
            effective_at=at("2026-10-01") + timedelta(seconds=number),
        )
        for number in range(first, last)
    )
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(
            organization=organization, url=f"https://example.test/hook-{number:05}", encrypted_secret="secret"
        )
        for number in range(first, last)
    )


def grants(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"Grant (\d+) <span", page)]


def hooks(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"<code[^>]*>https://example.test/hook-(\d+)</code>", page)]


def test_grants_and_webhooks_are_a_hundred_at_a_time_and_all_are_counted(world: World, client_of: SignIn) -> None:
    make_many(world.acme, 0, MANY)
    client = client_of(world.alice)
    page = client.get(PAGE).content.decode()
    assert grants(page) == hooks(page) == list(range(PAGE_ROWS))
    assert "1,000 grants · Page 1 of 10" in page
    assert "1,000 webhooks · Page 1 of 10" in page
    assert len(page) < MOST_BYTES
    second = client.get(PAGE, {"webhook": "2"}).content.decode()
    assert hooks(second) == list(range(PAGE_ROWS, 2 * PAGE_ROWS))
    assert grants(second) == list(range(PAGE_ROWS))
    assert 'href="?webhook=2&amp;grant=2#credit"' in second


def test_a_grant_on_a_later_page_has_what_all_of_them_left_for_it_to_pay(world: World, client_of: SignIn) -> None:
    make_many(world.acme, 0, 150)
    set_price("m", "1")
    use(world.acme, "2026-10-02", "m", input_tokens=120)
    page = client_of(world.bob).get(PAGE, {"grant": "2"}).content.decode()
    assert grants(page) == list(range(100, 150))
    remaining = re.findall(r'Grant \d+ <span.*?<td class="number">([^<]*)</td>', page, re.DOTALL)
    assert [Decimal(found.lstrip("$")) for found in remaining] == [Decimal(0)] * 20 + [Decimal(1)] * 30


def test_few_have_no_pages(world: World, client_of: SignIn) -> None:
    make_many(world.acme, 0, 2)
    page = client_of(world.alice).get(PAGE).content.decode()
    assert grants(page) == hooks(page) == [0, 1]
    assert "list-pager" not in page


def test_more_of_them_need_no_more_queries(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    make_many(world.acme, 0, 2)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    make_many(world.acme, 2, 200)
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few)
