"""How an export is made of columns, as CSV or JSON. PostgreSQL writes each row, so that a million of them pass through
without being parsed.

CSV lines end with CR LF, as RFC 4180 says. Text that people or callers chose is always quoted there, and made harmless
where a spreadsheet would run it as a formula; everything else is digits, dates and ids of ours. JSON is one array of
objects with the same names; numbers keep all their digits, and what is an empty cell in CSV is null.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from django.db import connection, transaction

ROWS_AT_A_TIME: Final = 5_000
INCOMPLETE: Final = "INCOMPLETE: an error stopped this export here. Ask for it again."


class Kind(Enum):
    """What a cell holds: a word, date or id of ours; a number or truth value; or a text that the format has written."""

    WORD = auto()
    NUMBER = auto()
    TEXT = auto()


@dataclass(frozen=True)
class Column:
    """A column's name, and the SQL expression of its cell; null is an empty cell."""

    name: str
    cell: str
    kind: Kind = Kind.WORD


@dataclass(frozen=True)
class Format:
    """A way to write rows. `text` gives the SQL of a text that anyone chose, `line` of a whole row; `head` and `tail` stand
    around the rows, `before_first` and `between` before each."""

    extension: str
    content_type: str
    text: Callable[[str], str]
    line: Callable[[Sequence[Column]], str]
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


def _csv_text(expression: str) -> str:
    """A quoted cell. One that starts with = + - @ tab or CR gets an apostrophe in front."""
    harmless = rf"regexp_replace({expression}, '^([=+@\t\r-])', '''\1')"
    return f"""'"' || replace({harmless}, '"', '""') || '"'"""


def _csv_line(columns: Sequence[Column]) -> str:
    return "concat_ws(',', " + ", ".join(f"coalesce(({column.cell})::text, '')" for column in columns) + ")"


def _json_text(expression: str) -> str:
    return f"to_json({expression})::text"


def _json_line(columns: Sequence[Column]) -> str:
    return "'{' || concat_ws(', ', " + ", ".join(_json_member(column) for column in columns) + ") || '}'"


def _json_member(column: Column) -> str:
    cell = f"to_json(({column.cell})::text)::text" if column.kind == Kind.WORD else f"({column.cell})::text"
    return f"""'"{column.name}": ' || coalesce({cell}, 'null')"""


CSV: Final = Format(
    extension="csv",
    content_type="text/csv; charset=utf-8",
    text=_csv_text,
    line=_csv_line,
    head=lambda columns: ",".join(column.name for column in columns),
    before_first="\r\n",
    between="\r\n",
    tail="\r\n",
)
JSON: Final = Format(
    extension="json",
    content_type="application/json",
    text=_json_text,
    line=_json_line,
    head=lambda _: "[",
    before_first="\n",
    between=",\n",
    tail="\n]\n",
)


def chunks(form: Format, columns: Sequence[Column], lines_sql: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """The file in pieces: its head at once, then the rows that the query finds, of one snapshot.

    They wait in the database, so memory does not grow with their number. An error rises out of the iterator, after a last
    line that says so, because some servers (granian 2.8) end the answer then as if it were complete.
    """
    yield form.head(columns)
    try:
        yield from _row_chunks(form, lines_sql, parameters)
    except Exception:
        yield f"{form.before_first}{INCOMPLETE}{form.before_first}"
        raise
    yield form.tail


def _row_chunks(form: Format, lines_sql: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    before = form.before_first
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        _plan_for_all_rows()
        cursor.execute(lines_sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_A_TIME):
            yield before + form.between.join(line for (line,) in rows)
            before = form.between


def _plan_for_all_rows() -> None:
    """Until the transaction ends, plan for the last row and not for the first, without compiling, and with hash joins:
    merge joins of a big table with a small one on its organization alone compare every row with every row."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off")
