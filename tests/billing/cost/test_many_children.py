"""The Cost page of an organization that pays for many others takes as much longer as there is more to add up, and no more."""

import time
from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from accounts.models import Organization, User
from benchmarks.load import population
from benchmarks.load.population import Customers

pytestmark = pytest.mark.django_db
FEW, MANY = 10, 100


def test_ten_times_the_children_take_no_more_than_twenty_times_the_time(client_of: Callable[[User], Client]) -> None:
    made = population.make(Customers(1, MANY, keys=1), first_day=date(2026, 10, 1), last_day=date(2026, 10, 31))
    payer = Organization.objects.get(slug="customer-1")
    Organization.objects.filter(slug__startswith="customer-").update(parent=None)
    client = client_of(made.owner(1))

    def seconds(num_children: int) -> float:
        children = [f"customer-{number}" for number in range(2, num_children + 1)]
        Organization.objects.filter(slug__in=children).update(parent=payer)
        population.settle()
        return min(_seconds(client) for _ in range(3))

    few = seconds(FEW)
    assert seconds(MANY) < 20 * few


def _seconds(client: Client) -> float:
    began_at = time.perf_counter()
    response = client.get("/settings/organization/customer-1/usage/cost/?month=2026-10")
    assert response.status_code == 200
    return time.perf_counter() - began_at
