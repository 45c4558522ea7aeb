"""How an export is made of columns, as CSV or JSON. PostgreSQL writes each row, so that a million of them pass through
without being parsed.

CSV lines end with CR LF, as RFC 4180 says. Text that people or callers chose is always quoted there, and made harmless
where a spreadsheet would run it as a formula (accounts/spreadsheets.py); everything else is digits, dates and ids of ours.
JSON is one array of objects with the same names; numbers keep all their digits, and what is an empty cell in CSV is null.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from functools import partial
from itertools import groupby
from typing import Any, Final

from django.db import connection, transaction

from accounts.installation import time_limits
from accounts.spreadsheets import harmless_sql
from metering.cluster.state import is_distributed

ROWS_AT_A_TIME: Final = 5_000
INCOMPLETE: Final = "INCOMPLETE: an error stopped this export here. Export it again."


class Kind(Enum):
    """What a cell holds: a word, date or id of ours; a number or truth value; a whole number that is never null, which is
    written as it is; a text that anyone chose; a JSON object with such texts, which is one in JSON too; or a moment in UTC."""

    WORD = auto()
    NUMBER = auto()
    WHOLE = auto()
    TEXT = auto()
    OBJECT = auto()
    MOMENT = auto()


class Source(StrEnum):
    """What a cell is about; the value is the name in SQL. Many rows share a day, an organization, a person, a key, a SKU, a
    purpose, or what usage of a SKU is charged at: their cells are written once, those that stand side by side in one piece."""

    ROW = "sums"
    DAY = "days"
    ORGANIZATION = "organizations"
    PERSON = "people"
    KEY = "keys"
    SKU = "skus"
    PURPOSE = "purposes"
    OFFER = "offers"


@dataclass(frozen=True)
class Column:
    """A column's name, and the SQL expression of its cell in what it is about; null is an empty cell."""

    name: str
    cell: str
    kind: Kind = Kind.WORD
    source: Source = Source.ROW


@dataclass(frozen=True)
class Format:
    """A way to write rows. `cell` gives the SQL of a column's cell, and `line` that of a row out of its cells, divided by
    `comma`; `head` and `tail` stand around the rows, `before_first` and `between` before each."""

    extension: str
    content_type: str
    cell: Callable[[Column], str]
    comma: str
    line: Callable[[str], str]
    head: Callable[[Sequence[Column]], str]
    before_first: str
    between: str
    tail: str


def exact_cell(expression: str, *, decimals: int = 0) -> str:
    """The SQL of a decimal number with all its digits, and at least so many decimals: never rounded, so that sums hold."""
    return f"round({expression}, greatest({decimals}, min_scale({expression})))"


def named_cell(expression: str, names: Mapping[int, str]) -> str:
    """The SQL of a cell with the name of a stored number. The names are constants of this code base."""
    choices = " ".join(f"WHEN {number} THEN '{name}'" for number, name in names.items())
    return f"CASE {expression} {choices} END"


def _csv_cell(column: Column) -> str:
    """A cell that no spreadsheet runs as a formula."""
    is_chosen = column.kind in {Kind.TEXT, Kind.OBJECT}
    return _plain_cell(replace(column, cell=harmless_sql(column.cell)) if is_chosen else column)


def _plain_cell(column: Column) -> str:
    """A cell as it is, quoted where anyone chose it: an empty one that is not quoted is null."""
    if column.kind == Kind.WHOLE:
        return column.cell
    text = f"({column.cell})::text"
    if column.kind in {Kind.TEXT, Kind.OBJECT}:
        text = f"""'"' || replace({text}, '"', '""') || '"'"""
    return f"coalesce({text}, '')"


def _json_cell(column: Column) -> str:
    text = f"({column.cell})::text"
    value = text if column.kind in {Kind.NUMBER, Kind.WHOLE, Kind.OBJECT} else f"to_json({text})::text"
    return f"""'"{column.name}": ' || coalesce({value}, 'null')"""


CSV: Final = Format(
    extension="csv",
    content_type="text/csv; charset=utf-8",
    cell=_csv_cell,
    comma=",",
    line=lambda cells: cells,
    head=lambda columns: ",".join(column.name for column in columns),
    before_first="\r\n",
    between="\r\n",
    tail="\r\n",
)
PLAIN_CSV: Final = replace(CSV, cell=_plain_cell)
"""For programs alone, which read every text as it was chosen."""
JSON: Final = Format(
    extension="json",
    content_type="application/json",
    cell=_json_cell,
    comma=", ",
    line=lambda cells: f"'{{' || {cells} || '}}'",
    head=lambda _: "[",
    before_first="\n",
    between=",\n",
    tail="\n]\n",
)


def line_sql(form: Format, columns: Sequence[Column]) -> str:
    """The SQL of a line, in a query in which each source is joined under its name."""
    cells: list[str] = []
    for number, run in enumerate(_runs(columns)):
        source = run[0].source
        if source == Source.ROW:
            cells.extend(form.cell(column) for column in run)
        else:
            nothing = _joined(form, [replace(column, cell="NULL") for column in run])
            cells.append(f"coalesce({source}.cells_{number}, {nothing})")
    return form.line(f"concat_ws('{form.comma}', {', '.join(cells)})")


def cells_sql(form: Format, columns: Sequence[Column], source: Source) -> str:
    """The SELECT list of a source's cells, each run of neighbours in one piece."""
    runs = [(number, run) for number, run in enumerate(_runs(columns)) if run[0].source == source]
    return ", ".join(f"{_joined(form, run)} AS cells_{number}" for number, run in runs)


def _runs(columns: Sequence[Column]) -> list[list[Column]]:
    return [list(run) for _, run in groupby(columns, key=lambda column: column.source)]


def _joined(form: Format, columns: Sequence[Column]) -> str:
    return f"concat_ws('{form.comma}', {', '.join(form.cell(column) for column in columns)})"


Statement = tuple[str, Mapping[str, Any]]
"""SQL and its parameters."""


def chunks(form: Format, columns: Sequence[Column], lines: Callable[[], Statement]) -> Iterator[str]:
    """The file in pieces: its head at once, then the rows that the statement finds, which may first ask the database
    itself; all of one snapshot.

    They wait in the database, so memory does not grow with their number. An error rises out of the iterator, after a last
    line that says so, for servers that send pieces as they come; ours sends a whole file or none (`usage_dashboard.web`).
    """
    yield form.head(columns)
    try:
        yield from row_chunks(form, lines)
    except Exception:
        yield f"{form.before_first}{INCOMPLETE}{form.before_first}"
        raise
    yield form.tail


def row_chunks(form: Format, lines: Callable[[], Statement]) -> Generator[str, None, None]:
    """The rows alone, whole ones in each piece."""
    before = form.before_first
    is_outermost = not connection.in_atomic_block
    access = "" if is_distributed() else ", READ ONLY"  # on a cluster rows are gathered in a temporary table
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        if is_outermost:
            _keep_one_snapshot(access)
        _plan_for_all_rows()
        cursor.execute(*lines())
        with closing(each_ahead(partial(cursor.fetchmany, ROWS_AT_A_TIME))) as fetched:
            for rows in fetched:
                yield before + form.between.join(line for (line,) in rows)
                before = form.between


def each_ahead(fetch: Callable[[], Sequence[Any]]) -> Generator[Sequence[Any], None, None]:
    """What `fetch` returns until that is empty, each one fetched while the one before it is on its way to the reader.

    Once closed, no call of `fetch` is under way any more.
    """
    with ThreadPoolExecutor(1, "export") as ahead:
        coming = ahead.submit(fetch)
        while rows := coming.result():
            coming = ahead.submit(fetch)
            yield rows


def _keep_one_snapshot(access: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ{access}")


def _plan_for_all_rows() -> None:
    """Until the transaction ends, plan for the last row and not for the first, without compiling, with hash joins (merge
    joins of a big table with a small one on its organization alone compare every row with every row), and sort the lines
    of a day in memory: 100,000 of them are some 30 MB."""
    with connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute(
            "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL jit = off; SET LOCAL enable_mergejoin = off;"
            " SET LOCAL work_mem = '64MB'"
        )
