"""Usage is split into parts that are charged: nothing twice, and nothing is forgotten."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.line_items import CHARGED, QUANTITIES, UNITS, WIDER, priced_by
from billing.models import LineItem
from metering.measures import ALLOWED_MEASURES, MEASURES, PARTS, UsageType

PART_MEASURES = {part for _, parts in PARTS for part in parts}


@st.composite
def measures_of(draw: st.DrawFn, usage_type: UsageType) -> dict[str, int]:
    """Measures as ingest accepts them for a usage type: the parts never exceed the whole."""
    counts = st.integers(0, 10**12)
    measures = {measure: draw(counts) for measure in sorted(ALLOWED_MEASURES[usage_type])}
    for whole, parts in PARTS:
        left = measures.get(whole, 0)
        for part in parts:
            if part in measures:
                measures[part] = draw(st.integers(0, left))
                left -= measures[part]
    return measures


INPUT_ITEMS = (
    *(LineItem.INPUT, LineItem.CACHED_INPUT, LineItem.CACHE_WRITE, LineItem.LONG_CACHE_WRITE),
    *(LineItem.AUDIO_INPUT, LineItem.IMAGE_INPUT, LineItem.VIDEO_INPUT),
)
OUTPUT_ITEMS = (LineItem.OUTPUT, LineItem.AUDIO_OUTPUT, LineItem.IMAGE_OUTPUT)


@pytest.mark.parametrize("usage_type", UsageType, ids=lambda usage_type: usage_type.label)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_line_items_of_any_usage_are_disjoint_and_add_up_to_its_measures(
    db: None, usage_type: UsageType, data: st.DataObject
) -> None:
    measures = data.draw(measures_of(usage_type))
    quantities = quantities_of(measures)
    assert min(quantities.values()) >= 0
    assert sum(quantities[item] for item in INPUT_ITEMS) == measures.get("input_tokens", 0)
    assert sum(quantities[item] for item in OUTPUT_ITEMS) == measures.get("output_tokens", 0)
    written = quantities[LineItem.CACHE_WRITE] + quantities[LineItem.LONG_CACHE_WRITE]
    assert written == measures.get("input_cache_write_tokens", 0)
    wholes = {"input_tokens", "output_tokens", *(set(MEASURES) - PART_MEASURES)}
    assert sum(quantities.values()) == sum(value for measure, value in measures.items() if measure in wholes)
    charged = {item for item, quantity in quantities.items() if quantity and item is not LineItem.REQUEST}
    assert charged <= set(CHARGED[usage_type])  # what is counted is charged, or else shown as unpriced


def quantities_of(measures: dict[str, int]) -> dict[LineItem, int]:
    """The quantity of every line item, as PostgreSQL computes it."""
    row = ", ".join(f"{measures.get(measure, 0)}::numeric AS {measure}" for measure in MEASURES)
    items = [*QUANTITIES]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(QUANTITIES[item] for item in items)} FROM (SELECT {row}) AS usage")
        return dict(zip(items, map(int, cursor.fetchone()), strict=True))


def test_every_line_item_has_a_quantity_and_a_unit_and_every_usage_type_a_charge() -> None:
    assert set(QUANTITIES) == set(UNITS) == set(LineItem)
    assert set(CHARGED) == set(UsageType)
    assert all(CHARGED.values())


def test_a_price_of_a_whole_is_charged_for_the_parts_that_have_none() -> None:
    assert priced_by(LineItem.INPUT) == [LineItem.INPUT, LineItem.IMAGE_INPUT, LineItem.VIDEO_INPUT]
    assert priced_by(LineItem.CACHE_WRITE) == [LineItem.CACHE_WRITE, LineItem.LONG_CACHE_WRITE]
    assert not set(WIDER.values()) & set(WIDER)  # one step, so that the rating need not follow a chain
