"""The Customers page of staff: every organization by spend, what each row says, and how one is found."""

import html
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.clock import database_now
from accounts.models import Organization, User
from accounts.organizations import organizations
from accounts.periods import month_of
from billing.alerts import Budget
from billing.display import dollars
from billing.invoices.balance import balances_of
from billing.models import Invoice
from billing.pages.customers.customers import customers, find_ids
from tests.billing.invoices.credit.test_balance import below_zero  # noqa: F401 - a fixture
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.money import set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/customers/"


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    world.charlie.is_staff = True
    world.charlie.save()
    world.charlie.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    return client_of(world.charlie)


def words(client: Client, query: str = "") -> str:
    response = client.get(PAGE + query)
    assert response.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def spend(organization: Organization, day: date, amount: int) -> None:
    """So many dollars on a day, at a cent a token."""
    use(organization, str(day), "m", input_tokens=amount * 100)


def test_organizations_stand_by_this_month_s_spend(world: World, staff: Client) -> None:
    set_price("m", "0.01")
    today = database_now().date()
    spend(world.other, today, 30)
    spend(world.acme, today, 20)
    spend(world.labs, month_of(today).start - timedelta(days=1), 500)
    page = words(staff)
    assert page.index("$30.00") < page.index("$20.00") < page.index("$0.00")
    assert page.index("Other") < page.index("Acme")
    assert "paid by Acme" in page
    assert "500" not in page


def test_growth_compares_whole_days_with_as_many_of_the_month_before(world: World) -> None:
    set_price("m", "0.01")
    now = database_now().replace(year=2026, month=10, day=11)
    for day, amount in (
        (date(2026, 9, 1), 10),
        (date(2026, 9, 10), 10),
        (date(2026, 9, 11), 99),
        (date(2026, 10, 3), 30),
    ):
        spend(world.acme, day, amount)
    spend(world.acme, date(2026, 10, 11), 7)
    [row] = customers([world.acme.pk], now)
    assert (row.spent, row.growth) == ("$37.00", "+50.0%")
    assert customers([world.other.pk], now)[0].growth == ""


def test_a_month_that_is_longer_than_the_one_before_is_compared_with_all_of_it(world: World) -> None:
    set_price("m", "0.01")
    spend(world.acme, date(2026, 2, 28), 10)
    spend(world.acme, date(2026, 3, 1), 10)
    [row] = customers([world.acme.pk], database_now().replace(year=2026, month=3, day=31))
    assert row.growth == "+0.0%"


def test_a_row_says_budget_balance_members_and_the_last_usage(world: World, staff: Client) -> None:
    set_price("m", "0.01")
    now = database_now()
    spend(world.acme, now.date(), 20)
    send(make_event(api_key_id=make_key(world.rita).public_id, timestamp=now), make_token())
    roll_up()
    Budget.objects.create(organization=world.acme, amount=Decimal(40))
    by_name = {row.organization.name: row for row in customers(find_ids("", now), now)}
    acme, other = by_name["Acme"], by_name["Other"]
    assert acme.budget is not None
    assert acme.budget.share == "50%"
    assert acme.num_members == 3
    assert acme.last_used_at is not None
    assert acme.last_used_at == now.replace(minute=0, second=0, microsecond=0)
    assert (other.balance, other.budget, other.last_used_at) == ("", None, None)
    page = words(staff)
    assert "50%" in page
    assert "Never" in page


def test_the_share_of_a_payer_s_budget_says_of_what_it_is(world: World, staff: Client) -> None:
    now = database_now()
    set_price("m", "0.01")
    spend(world.acme, now.date(), 20)
    spend(world.labs, now.date(), 10)
    Budget.objects.create(organization=world.acme, amount=Decimal(60))
    Budget.objects.create(organization=world.labs, amount=Decimal(60))
    by_name = {row.organization.name: row for row in customers(find_ids("", now), now)}
    acme, labs = by_name["Acme"], by_name["Acme Labs"]
    assert (acme.spent, acme.spent_of_budget) == ("$20.00", "$30.00")
    assert (labs.spent, labs.spent_of_budget) == ("$10.00", "")
    assert acme.budget is not None
    assert acme.budget.share == "50%"
    assert "$30.00 with those it pays for" in words(staff)


@pytest.mark.parametrize("asked", ["labs", "ACME LABS", "acme-labs"])
def test_an_organization_is_found_by_its_name_and_address(world: World, staff: Client, asked: str) -> None:
    page = words(staff, f"?q={asked}")
    assert "Acme Labs" in page
    assert world.other.public_id not in page


def test_an_organization_is_found_by_its_id_and_by_the_email_of_a_member(world: World) -> None:
    now = database_now()
    assert find_ids(world.other.public_id, now) == [world.other.pk]
    assert world.acme.pk in find_ids("RITA@acme.test", now)
    assert world.other.pk not in find_ids("rita@acme.test", now)
    assert find_ids("rita@acme", now) == []


@pytest.mark.parametrize("asked", ["%", "_", "\\", "nobody", "x" * 5000, "%00", "'; --"])
def test_signs_in_a_search_are_signs(world: World, staff: Client, asked: str) -> None:
    page = words(staff, f"?q={asked.replace('%', '%25') if asked != '%00' else asked}")
    assert ("No organization fits" in page) == (asked != "%00")


def test_many_organizations_are_many_pages_and_no_more_queries(
    world: World, staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = database_now()
    few = find_ids("", now)
    with django_assert_num_queries(5):
        customers(few[:1], now)
    Organization.objects.bulk_create(
        Organization(name=f"Customer {number}", slug=f"customer-{number}", public_id=f"org_{number:017}")
        for number in range(150)
    )
    ids = find_ids("", now)
    with django_assert_num_queries(5):
        assert len(customers(ids[:100], now)) == 100
    assert "Page 1 of 2" in words(staff)
    assert "Page 2 of 2" in words(staff, "?page=2")
    assert "Page 2 of 2" in words(staff, "?page=999")


def test_a_personal_organization_says_whose_it_is(world: World, staff: Client) -> None:
    organizations.create_user(email="nina@acme.test", now=database_now())
    assert "Personal of nina@acme.test" in words(staff, "?q=nina@acme.test")
    assert "Acme of" not in words(staff)


def test_an_installation_without_organizations_says_so(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.pages.customers.views.find_ids", lambda *_: [])
    assert "There is no organization yet." in words(staff)


def test_the_page_is_for_staff_with_the_right_alone(world: World, client_of: SignIn) -> None:
    assert client_of(world.alice).get(PAGE).status_code == 404
    world.charlie.is_staff = True
    world.charlie.save()
    assert client_of(world.charlie).get(PAGE).status_code == 403


def test_what_is_in_a_payer_s_favour_is_their_balance(
    world: World,
    below_zero: Invoice,  # noqa: F811 - the fixture
) -> None:
    now = database_now()
    assert balances_of([]) == {}
    assert balances_of([below_zero.payer_id, 0]) == {below_zero.payer_id: below_zero.balance_change}
    [row] = customers([below_zero.payer_id], now)
    assert row.balance == dollars(below_zero.balance_change)
