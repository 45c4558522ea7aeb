"""Usage × unit prices in SQL against the same in Python, over the disjoint split of usage."""

from decimal import Decimal
from typing import Any

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.line_items import QUANTITIES
from billing.models import LineItem
from billing.priced_usage import amount, quantity_of, side_by_side, sum_of_amounts
from metering.measures import MEASURES

MEASURE = st.integers(min_value=0, max_value=10**15)
PRICES = st.dictionaries(
    st.sampled_from(list(LineItem)), st.decimals(min_value=0, max_value=10, places=12, allow_nan=False)
)
USAGE_ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(MEASURES, MEASURE)), min_size=1, max_size=4)


def ask(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def usage_sql(rows: list[dict[str, int]]) -> str:
    values = ", ".join(f"({', '.join(f'{row[name]}::numeric' for name in MEASURES)})" for row in rows)
    return f"(VALUES {values}) AS usage ({', '.join(MEASURES)})"


def prices_sql(prices: dict[LineItem, Decimal]) -> str:
    rows = [f"({item.value}, {price:f}::numeric)" for item, price in prices.items()] or ["(0, NULL::numeric)"]
    return f"(VALUES {', '.join(rows)}) AS price (line_item, unit_price)"


def quantities(row: dict[str, int]) -> dict[LineItem, Decimal]:
    """As SQL reckons them: the table of quantities, evaluated for one row."""
    ((*found,),) = ask(f"SELECT {', '.join(QUANTITIES.values())} FROM {usage_sql([row])}")
    return dict(zip(QUANTITIES, found, strict=True))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=USAGE_ROWS, prices=PRICES)
def test_rows_of_prices_and_prices_side_by_side_cost_the_same(
    db: None, rows: list[dict[str, int]], prices: dict[LineItem, Decimal]
) -> None:
    expected = sum((quantities(row)[item] * price for row in rows for item, price in prices.items()), start=Decimal(0))
    ((by_row,),) = ask(
        f"SELECT coalesce(sum({quantity_of('price')} * price.unit_price), 0)"
        f" FROM {usage_sql(rows)} CROSS JOIN {prices_sql(prices)}"
    )
    wide = f"(SELECT {', '.join(side_by_side('unit_price'))} FROM {prices_sql(prices)}) AS wide"
    ((in_one_pass,),) = ask(f"SELECT {sum_of_amounts('wide')} FROM {usage_sql(rows)} CROSS JOIN {wide}")
    ((by_usage_row,),) = ask(
        f"SELECT coalesce(sum({amount('wide', prices)}), 0) FROM {usage_sql(rows)} CROSS JOIN {wide}"
    )
    assert by_row == in_one_pass == by_usage_row == expected


def test_a_row_without_any_price_has_no_amount(db: None) -> None:
    row = dict.fromkeys(MEASURES, 5)
    wide = f"(SELECT {', '.join(side_by_side('unit_price'))} FROM {prices_sql({})}) AS wide"
    assert ask(f"SELECT {amount('wide', list(LineItem))} FROM {usage_sql([row])} CROSS JOIN {wide}") == [(None,)]
    assert ask(f"SELECT {amount('wide', [])} FROM {usage_sql([row])} CROSS JOIN {wide}") == [(None,)]


def test_a_price_for_something_of_which_there_is_none_prices_nothing(db: None) -> None:
    row = dict.fromkeys(MEASURES, 0) | {"images": 3}
    wide = f"(SELECT {', '.join(side_by_side('unit_price'))} FROM {prices_sql({LineItem.SECOND: Decimal(1)})}) AS wide"
    assert ask(f"SELECT {amount('wide', [LineItem.SECOND])} FROM {usage_sql([row])} CROSS JOIN {wide}") == [(None,)]
