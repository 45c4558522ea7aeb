"""Prices that several people set, or look at, in the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing.models import LineItem, Price
from billing.prices.rerating import Terms, change_price, preview
from metering.intake import new_models
from metering.models import Model
from tests.database.at_once import at_once
from tests.database.waiting import until_somebody_waits
from tests.money import ACTOR

pytestmark = pytest.mark.django_db(transaction=True)


def terms(model: Model, line_item: LineItem = LineItem.INPUT) -> Terms:
    return Terms(model=model, line_item=line_item, effective_date=date(2026, 11, 1), unit_price=Decimal("0.01"))


def test_the_first_prices_of_a_model_that_are_set_while_its_first_usage_comes_are_all_kept() -> None:
    """Who sets them has looked before, and the model was not there."""

    def set_price(number: int, line_item: LineItem) -> None:
        change_price(terms(Model(name=f"new-{number}"), line_item), actor=ACTOR)

    at_once(
        lambda number: set_price(number, LineItem.INPUT),
        lambda number: set_price(number, LineItem.OUTPUT),
        lambda number: new_models.add({f"new-{number}": {1}}),
    )
    assert Price.objects.count() == 2 * 30


def test_who_looks_at_what_a_price_would_change_while_it_is_set_sees_it_as_set() -> None:
    """A second click on “Confirm” is such a look."""
    wanted = terms(Model.objects.create(name="m"))

    def look() -> Decimal | None:
        try:
            return preview(wanted).old_unit_price
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            change_price(wanted, actor=ACTOR)
            looked = threads.submit(look)
            until_somebody_waits()
        assert looked.result(timeout=30) == Decimal("0.01")
