"""Staff's Invoices page, when a mistake has put thousands of invoices on hold, made closings fail and left balances."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Organization, User
from accounts.pages.lists import PAGE_ROWS
from billing.invoices import closing
from billing.models import Invoice
from metering.models import FailedItem
from tests.money import at
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/settings/invoices/"
MANY = 1_000
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
MOST_BYTES = 700_000


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    return client_of(world.bob)


def held(payer: Organization, month: date, total: int, held_at: datetime) -> Invoice:
    return Invoice(payer=payer, month=month, subtotal=total, total=total, balance_change=-total, held_at=held_at)


def in_favour(payer: Organization, number: int) -> Invoice:
    """An older document of the payer which left a dollar and some cents on the balance."""
    amount = Decimal(1) + Decimal(number) / 100
    return Invoice(
        payer=payer,
        month=date(2026, 9, 1),
        state="paid",
        number=f"INV-2026-{number:05}",
        place=1,
        subtotal=-amount,
        total=-amount,
        balance_change=amount,
        issue_date=OCTOBER,
        due_date=OCTOBER,
    )


def make_trouble(first: int, last: int) -> None:
    """For each of these payers: October on hold, below zero by its number; November waits; a failed closing, and a balance."""
    payers = Organization.objects.bulk_create(
        Organization(name=f"Team {number:05}", slug=f"team-{number:05}") for number in range(first, last)
    )
    numbered = list(enumerate(payers, start=first))
    now = at("2026-12-05")
    Invoice.objects.bulk_create(held(payer, OCTOBER, -number - 1, now) for number, payer in numbered)
    Invoice.objects.bulk_create(held(payer, NOVEMBER, 5, now) for _, payer in numbered)
    Invoice.objects.bulk_create(in_favour(payer, number) for number, payer in numbered)
    FailedItem.objects.bulk_create(
        FailedItem(task=closing.TASK, item=f"2026-10 {payer.slug}", num_attempts=1, last_error="It broke. " * 40)
        for payer in payers
    )


def section(page: str, name: str) -> str:
    return page.split(f'<section class="card" id="{name}"')[1].split("</section>", maxsplit=1)[0]


def names(page: str, name: str) -> list[int]:
    return [int(number) for number in re.findall(r"<bdi>Team (\d+)</bdi>", section(page, name))]


def test_each_list_is_a_page_of_it_and_says_how_much_there_is_in_all(staff: Client) -> None:
    make_trouble(0, MANY)
    page = staff.get(PAGE).content.decode()
    assert "1,000 closings · Page 1 of 10" in section(page, "failures")
    assert "2,000 invoices · Page 1 of 20" in section(page, "held")
    assert "1,000 balances · Page 1 of 10" in section(page, "balances")
    assert names(page, "failures") == list(range(PAGE_ROWS))
    assert names(page, "balances") == list(range(PAGE_ROWS))
    assert len(page) < MOST_BYTES


def test_the_oldest_month_and_in_it_the_most_below_zero_is_held_first(staff: Client) -> None:
    make_trouble(0, 150)
    page = staff.get(PAGE).content.decode()
    assert names(page, "held") == [149 - number for number in range(PAGE_ROWS)]
    assert "It is below zero: −$150.00 of usage" in section(page, "held")
    last = staff.get(PAGE, {"held": "3"}).content.decode()
    assert names(last, "held") == list(range(50, 150))
    assert section(last, "held").count("It waits for October 2026, which is on hold.") == PAGE_ROWS
    assert "Release…</summary>" not in section(last, "held")


def test_a_page_of_one_list_leaves_the_others_where_they_are(staff: Client) -> None:
    make_trouble(0, 150)
    page = staff.get(PAGE, {"balance": "2", "failed": "2"}).content.decode()
    assert names(page, "balances") == names(page, "failures") == list(range(PAGE_ROWS, 150))
    assert "Page 1 of 3" in section(page, "held")
    assert 'href="?balance=2&amp;failed=2&amp;held=2#held"' in section(page, "held")
    assert 'href="?failed=2&amp;balance=1#balances"' in section(page, "balances")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_balance_on_a_later_page_is_refunded_in_full(staff: Client) -> None:
    make_trouble(0, 150)
    form = section(staff.get(PAGE, {"balance": "2"}).content.decode(), "balances")
    assert "Mark the balance of Team 00149 as refunded" in form
    address = "/settings/balances/team-00149/refunds/"
    assert f'action="{address}?balance=2"' in form
    again = staff.post(f"{address}?balance=2", {"amount": "2.49"}, follow=True).content.decode()
    assert names(again, "balances") == list(range(PAGE_ROWS, 149))


def test_more_rows_need_no_more_queries(staff: Client) -> None:
    make_trouble(0, 2)
    staff.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        staff.get(PAGE)
    make_trouble(2, 200)
    with CaptureQueriesContext(connection) as many:
        staff.get(PAGE)
    assert len(many) == len(few) < 25


def test_few_rows_have_neither_pages_nor_counts(staff: Client) -> None:
    make_trouble(0, 2)
    page = staff.get(PAGE).content.decode()
    assert "list-pager" not in page
    assert "card-total" not in page


def test_the_failure_of_a_payer_who_is_no_more_is_neither_shown_nor_counted(staff: Client) -> None:
    make_trouble(0, PAGE_ROWS)
    FailedItem.objects.create(task=closing.TASK, item="2026-10 gone", num_attempts=1, last_error="It broke.")
    page = staff.get(PAGE).content.decode()
    assert names(page, "failures") == list(range(PAGE_ROWS))
    assert "Page 1" not in section(page, "failures")
