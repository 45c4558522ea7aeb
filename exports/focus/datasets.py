"""The three FOCUS files, and the formats that they come in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final, cast

from exports.columns import CSV, Column, Format, Statement, chunks
from exports.focus.columns import USAGE_COLUMNS
from exports.focus.cost import cost_statement
from exports.focus.invoices import (
    BILLING_PERIOD_COLUMNS,
    INVOICE_DETAIL_COLUMNS,
    billing_period_statement,
    invoice_detail_statement,
)
from exports.focus.scope import Scope

Pieces = Iterator[str] | Iterator[bytes]
FOCUS_VERSION: Final = "1.2"
CSV_FORMAT: Final = "csv"
PARQUET_FORMAT: Final = "parquet"


@dataclass(frozen=True)
class Dataset:
    """A file: its word in addresses, which also names it, how people call it, its columns and its rows."""

    word: str
    label: str
    columns: Sequence[Column]
    statement: Callable[[Scope, Format], Statement]


COST_AND_USAGE: Final = Dataset("cost-and-usage", "Cost and usage", USAGE_COLUMNS, cost_statement)
DATASETS: Final = (
    COST_AND_USAGE,
    Dataset("invoice-detail", "Invoice detail", INVOICE_DETAIL_COLUMNS, invoice_detail_statement),
    Dataset("billing-period", "Billing periods", BILLING_PERIOD_COLUMNS, billing_period_statement),
)
CONTENT_TYPES: Final = {CSV_FORMAT: CSV.content_type, PARQUET_FORMAT: "application/vnd.apache.parquet"}


def formats() -> dict[str, str]:
    """What this installation can write: word in addresses → how people call it."""
    has_parquet = find_spec("pyarrow") is not None
    return {CSV_FORMAT: "CSV"} | ({PARQUET_FORMAT: "Parquet"} if has_parquet else {})


def pieces(dataset: Dataset, scope: Scope, format_word: str) -> Pieces:
    """The file, in pieces. Memory does not grow with its rows."""
    if format_word == CSV_FORMAT:
        return chunks(CSV, dataset.columns, partial(dataset.statement, scope, CSV))
    writer = import_module("exports.parquet")  # with pyarrow, which is optional, large, and slow to import
    plain = writer.PLAIN_CSV
    about = {"FocusVersion": FOCUS_VERSION, "CompleteThrough": f"{scope.complete_through:%Y-%m-%dT%H:%M:%SZ}"}
    return cast("Pieces", writer.parquet_pieces(dataset.columns, partial(dataset.statement, scope, plain), about))
