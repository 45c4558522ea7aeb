"""Rows of an export as Apache Parquet. Needs pyarrow, the optional extra `parquet`; only `exports.focus.datasets` imports it.

PostgreSQL writes plain CSV, which pyarrow reads into typed columns, some thousand rows at a time: the same cells as in the CSV
file, with every text as it was chosen. Memory does not grow with the rows.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv, parquet

from exports.columns import PLAIN_CSV, Column, Kind, Statement, row_chunks

CHUNKS_IN_A_GROUP: Final = 4
TYPES: Final = {
    Kind.NUMBER: pa.decimal128(38, 12),
    Kind.WHOLE: pa.int64(),
    Kind.MOMENT: pa.timestamp("ms", "UTC"),
}
"""Numbers of up to 26 digits before the point; a larger one raises an error and is never cut."""


class _Sink(io.RawIOBase):
    """A file that can only be written, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


def parquet_pieces(
    columns: Sequence[Column], lines: Callable[[], Statement], about: Mapping[str, str]
) -> Iterator[bytes]:
    """The file in pieces; `about` is its metadata."""
    types = {column.name: TYPES.get(column.kind, pa.string()) for column in columns}
    schema = pa.schema(list(types.items()), metadata=dict(about))
    sink = _Sink()
    with (
        parquet.ParquetWriter(sink, schema, compression="zstd") as writer,
        closing(row_chunks(PLAIN_CSV, lines)) as chunks,
    ):
        while group := "".join(islice(chunks, CHUNKS_IN_A_GROUP)):
            writer.write_table(_table(group, types).cast(schema))
            yield sink.take()
    yield sink.take()


def _table(rows: str, types: Mapping[str, Any]) -> Any:
    return csv.read_csv(
        pa.BufferReader(rows.encode()),
        read_options=csv.ReadOptions(column_names=list(types), use_threads=False, block_size=2 * len(rows) + 1024),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict(types), null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
