"""The FOCUS files as Parquet: the same rows, typed, with every text as it was chosen."""

import io
from decimal import Decimal
from typing import Any

import pytest
from pyarrow import parquet

from accounts.models import Organization
from exports.focus.datasets import COST_AND_USAGE, CSV_FORMAT, DATASETS, PARQUET_FORMAT, Dataset, pieces
from tests.exports.focus import rules, story
from tests.usage.focus_files import read_csv, scope_of
from tests.world import World

pytestmark = pytest.mark.django_db
TYPES = {
    rules.DECIMAL: "decimal128(38, 12)",
    rules.TEXT: "string",
    rules.JSON: "string",
    rules.MOMENT: "timestamp[ms, tz=UTC]",
}


def read(dataset: Dataset, payer: Organization) -> Any:
    found = b"".join(piece for piece in pieces(dataset, scope_of(payer), PARQUET_FORMAT) if isinstance(piece, bytes))
    return parquet.read_table(io.BytesIO(found))


def test_it_has_the_columns_and_rows_of_the_csv_file(world: World) -> None:
    story.happen(world)
    for dataset in DATASETS:
        text = "".join(map(str, pieces(dataset, scope_of(world.acme), CSV_FORMAT)))
        expected, table = read_csv(text), read(dataset, world.acme)
        assert table.column_names == list(expected[0])
        assert [_as_csv(row) for row in table.to_pylist()] == [_as_numbers(row) for row in expected]


def _as_csv(row: dict[str, Any]) -> dict[str, object]:
    moments = {name: f"{cell:%Y-%m-%dT%H:%M:%SZ}" for name, cell in row.items() if hasattr(cell, "hour")}
    return {name: "" if cell is None else moments.get(name, cell) for name, cell in row.items()}


def _as_numbers(row: dict[str, str]) -> dict[str, object]:
    """A row of the CSV file with numbers in the columns of numbers."""
    all_rules = rules.COST_AND_USAGE | rules.INVOICE_DETAIL
    numbers = {name for name, rule in all_rules.items() if rule.type == rules.DECIMAL} | {"x_InvoiceDue"}
    return {name: Decimal(cell) if name in numbers and cell else cell for name, cell in row.items()}


def test_columns_have_types(world: World) -> None:
    schema = read(COST_AND_USAGE, world.acme).schema
    for name, rule in rules.COST_AND_USAGE.items():
        assert str(schema.field(name).type) == TYPES[rule.type], name
    assert schema.metadata == {b"FocusVersion": b"1.2", b"CompleteThrough": b"2027-02-01T00:00:00Z"}


def test_a_payer_without_charges_has_a_file_without_rows(world: World) -> None:
    table = read(COST_AND_USAGE, world.other)
    assert (table.num_rows, len(table.column_names)) == (0, len(COST_AND_USAGE.columns))


def test_texts_are_as_they_were_chosen_and_an_empty_one_is_no_null(world: World) -> None:
    key = story.happen(world)
    key.name = '=HYPERLINK("x"),\r\n+1'
    key.save()
    Organization.objects.filter(pk=world.labs.pk).update(name="")
    table = read(COST_AND_USAGE, world.acme)
    assert set(table.column("ResourceName").to_pylist()) == {key.name, None}
    assert "" in table.column("SubAccountName").to_pylist()
