"""The rows of a file, one after the other, as JSON objects: lines of NDJSON as they are, rows of CSV made into one each.

A row that cannot be read is a Refusal in its place and costs its neighbours nothing. Memory holds one row at a time.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from django.conf import settings

from metering.intake.bodies.files import Lines
from metering.intake.formats.events import Refusal
from metering.intake.formats.items import is_json

if TYPE_CHECKING:
    import _csv

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?")
TRUTH: Final = {"true": b"true", "t": b"true", "false": b"false", "f": b"false"}
INVALID_UTF8: Final = Refusal("invalid_utf8", "The text of this row is not valid UTF-8.")
NOT_ROWS: Final = "The file is one JSON array: write one object a line (jq -c '.[]' FILE)."


class UnreadableFileError(ValueError):
    """A file that has no rows to read, with a sentence."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What cells of CSV mean in JSON. Columns of neither kind are texts, and empty cells are left out."""

    required: Collection[str]
    numbers: Collection[str] = ()
    json: Collection[str] = ()
    """Cells that hold JSON, or true and false."""
    or_required: Collection[str] = ()
    """Columns that will do instead of the required ones."""


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object, or why there is none, and the line of the file on which it ends."""

    line: int
    found: bytes | Refusal


def rows(lines: Lines, columns: Columns) -> Iterator[Row]:
    """The rows of an unpacked file of either kind. Raises UnreadableFileError for one that is neither."""
    start = lines.peek(3)[:3]
    if start == BYTE_ORDER_MARK:
        lines.read(3)
    while (first := lines.peek(1)[:1]) and first in b" \r\n\t":
        lines.read(1)
    if first == b"[":
        raise UnreadableFileError(NOT_ROWS)
    return _of_ndjson(lines) if first == b"{" else _of_csv(lines, columns)


def as_json(cells: Mapping[str, str], columns: Columns) -> bytes:
    """The object of a row of CSV. Raises UnicodeEncodeError for a cell that is not UTF-8."""
    fields: dict[str, str | msgspec.Raw] = {}
    for name, cell in cells.items():
        if cell:
            fields[name] = _value(cell, is_number=name in columns.numbers, is_json_text=name in columns.json)
    return msgspec.json.encode(fields)


def _of_ndjson(lines: Lines) -> Iterator[Row]:
    most, number = settings.FOREIGN_ITEM_MAX_BYTES, 0
    while text := lines.readline(most + 1):
        number += 1
        if len(text) > most and not text.endswith(b"\n"):
            while (rest := lines.readline(most)) and not rest.endswith(b"\n"):
                pass
            yield Row(number, Refusal("event_too_large", f"A row can have at most {most:,} bytes."))
        elif text.strip():
            yield Row(number, text.strip())


def _of_csv(lines: Lines, columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(settings.FOREIGN_ITEM_MAX_BYTES)
    text = io.TextIOWrapper(lines, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        yield from _of_reader(csv.reader(text), columns)
    finally:
        text.detach()  # which would close the file otherwise


def _of_reader(reader: "_csv.Reader", columns: Columns) -> Iterator[Row]:
    first = _next(reader)
    header = [name.strip() for name in first] if isinstance(first, list) else []
    has_others = bool(columns.or_required) and set(columns.or_required) <= set(header)
    if not has_others and (missing := sorted(set(columns.required) - set(header))):
        raise UnreadableFileError(f"The first line must name the columns; missing: {', '.join(missing)}.")
    while (cells := _next(reader)) is not None:
        if isinstance(cells, Refusal) or cells:
            yield Row(reader.line_num, _row(header, cells, columns))


def _next(reader: Iterator[list[str]]) -> list[str] | Refusal | None:
    """The next row, empty for an empty line; None at the end."""
    try:
        return next(reader)
    except csv.Error as error:
        return Refusal("invalid_row", f"This row of CSV cannot be read: {error}.")
    except StopIteration:
        return None


def _row(header: list[str], cells: list[str] | Refusal, columns: Columns) -> bytes | Refusal:
    if isinstance(cells, Refusal):
        return cells
    if len(cells) != len(header):
        return Refusal("invalid_row", f"The row has {len(cells)} cells, and the first line {len(header)} columns.")
    try:
        return as_json(dict(zip(header, cells, strict=True)), columns)
    except UnicodeEncodeError:
        return INVALID_UTF8


def _value(cell: str, *, is_number: bool, is_json_text: bool) -> str | msgspec.Raw:
    if is_number and NUMBER.fullmatch(cell):
        return msgspec.Raw(cell.encode())
    if is_json_text:
        text = TRUTH.get(cell.lower()) or cell.encode()
        return msgspec.Raw(text) if is_json(text) else cell
    return cell
