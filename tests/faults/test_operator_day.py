"""An operator's day, with fewer customers, against a product that is started for it alone."""

import pytest

from tests.operator_day.customers import SMALL
from tests.operator_day.day import play
from tests.operator_day.product import fresh

pytestmark = pytest.mark.faults


def test_every_cost_and_every_invoice_of_an_operators_day_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh() as product:
        play(product, SMALL)
    assert "15 invoices with numbers of their own" in capsys.readouterr().out
