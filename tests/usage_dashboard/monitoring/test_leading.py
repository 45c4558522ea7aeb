"""Cost and tokens of organizations: the leading ones by name, all others together, and the sum is that of all."""

from decimal import Decimal

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Organization
from metering.models import OrganizationDailyUsage
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.usage_dashboard.monitoring.scrape import scraped, value, values
from tests.world import Role, World, make_organization, make_user
from usage_dashboard import tasks
from usage_dashboard.models import LeadingOrganization
from usage_dashboard.monitoring.leading import OTHERS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("measured", "redis_server")]
NUM_CUSTOMERS = 5


@pytest.fixture
def customers(world: World) -> list[Organization]:
    """Customer n uses n million tokens of input; the one before the last is called “other”, as any customer may be."""
    token = make_token()
    made = []
    for number in range(1, NUM_CUSTOMERS + 1):
        organization = world.other if number == NUM_CUSTOMERS - 1 else make_organization(f"Customer {number}")
        user = make_user(f"user{number}@c.test", name="U", role=Role.OWNER, organization=organization)
        event = make_event(
            id=f"event-{number}",
            timestamp=database_now(),
            api_key_id=make_key(user).public_id,
            input_tokens=number * 1_000_000,
            output_tokens=0,
        )
        assert send([event], token) == ["accepted"]
        made.append(organization)
    roll_up()
    return made


def test_the_leading_ones_have_names_and_all_others_are_one(measured: Settings, customers: list[Organization]) -> None:
    measured.METRICS_ORGANIZATIONS = 2
    tasks.measure()
    found = scraped()
    tokens = values(found, "organization_tokens", "organization")
    assert tokens == {"customer-5": 5_000_000, "other": 4_000_000, OTHERS: 6_000_000}
    assert values(found, "organization_cost_dollars", "organization") == {
        "customer-5": pytest.approx(12.5),
        "other": pytest.approx(10.0),
        OTHERS: pytest.approx(15.0),
    }
    assert value(found, "organizations_measured_timestamp_seconds") == pytest.approx(database_now().timestamp(), abs=60)


def test_the_sum_is_that_of_all_however_many_have_names(measured: Settings, customers: list[Organization]) -> None:
    for most in (1, NUM_CUSTOMERS - 1, NUM_CUSTOMERS, 1000):
        measured.METRICS_ORGANIZATIONS = most
        tasks.measure()
        rows = list(LeadingOrganization.objects.all())
        assert len(rows) == min(most + 1, NUM_CUSTOMERS)
        assert sum(row.tokens for row in rows) == sum(
            row.input_tokens + row.output_tokens for row in OrganizationDailyUsage.objects.all()
        )
        assert sum(row.cost for row in rows) == Decimal("37.5")


def test_a_month_that_is_over_is_not_told(measured: Settings, customers: list[Organization]) -> None:
    tasks.measure()
    LeadingOrganization.objects.update(month="2020-01-01")
    assert values(scraped(), "organization_tokens", "organization") == {}
    tasks.measure()
    assert len(values(scraped(), "organization_tokens", "organization")) == NUM_CUSTOMERS


@pytest.mark.parametrize(("setting", "value_"), [("METRICS_TOKEN", ""), ("METRICS_ORGANIZATIONS", 0)])
def test_nothing_is_measured_where_nobody_asks(
    measured: Settings, customers: list[Organization], setting: str, value_: object
) -> None:
    setattr(measured, setting, value_)
    tasks.measure()
    assert not LeadingOrganization.objects.exists()
