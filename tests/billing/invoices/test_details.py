"""Billing details that several people fill in at once."""

import pytest

from accounts.audit.audit import Actor
from accounts.changes import change
from billing.invoices.details import change_details
from billing.models import BillingDetails
from tests.database.at_once import at_once
from tests.world import make_organization

ACTOR = Actor(name="a test")


@pytest.mark.django_db(transaction=True)
def test_the_first_details_of_two_who_write_at_once_are_both_kept() -> None:
    organizations = [make_organization(f"Customer {number}") for number in range(30)]

    def fill_in(number: int, **fields: str) -> bool:
        with change():
            return change_details(organization=organizations[number], fields=fields, actor=ACTOR)

    answers = at_once(
        lambda number: fill_in(number, legal_name="Acme GmbH"), lambda number: fill_in(number, tax_id="DE1")
    )
    assert answers == [(True, True)] * 30
    assert list(BillingDetails.objects.values_list("legal_name", "tax_id")) == [("Acme GmbH", "DE1")] * 30
