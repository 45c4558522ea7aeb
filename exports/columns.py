"""How a CSV file is made of columns. PostgreSQL writes each line, so that a million rows pass through without being parsed.

Lines end with CR LF, as RFC 4180 says. Text that people or callers chose is always quoted, and made harmless where a
spreadsheet would run it as a formula; everything else is digits, dates and ids of ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

LINE_END: Final = "\r\n"
ROWS_AT_A_TIME: Final = 5_000
INCOMPLETE: Final = "INCOMPLETE: an error stopped this export here. Ask for it again."


@dataclass(frozen=True)
class Column:
    """A column's name, and the SQL expression of its cell; null is an empty cell."""

    name: str
    cell: str


def text_cell(expression: str) -> str:
    """The SQL of a quoted cell of any text. One that starts with = + - @ tab or CR gets an apostrophe in front."""
    harmless = rf"regexp_replace({expression}, '^([=+@\t\r-])', '''\1')"
    return f"""'"' || replace({harmless}, '"', '""') || '"'"""


def exact_cell(expression: str, *, decimals: int = 0) -> str:
    """The SQL of a decimal number with all its digits, and at least so many decimals: never rounded, so that sums hold."""
    return f"round({expression}, greatest({decimals}, min_scale({expression})))"


def named_cell(expression: str, names: Mapping[int, str]) -> str:
    """The SQL of a cell with the name of a stored number. The names are constants of this code base."""
    choices = " ".join(f"WHEN {number} THEN '{name}'" for number, name in names.items())
    return f"CASE {expression} {choices} END"


def line_sql(columns: Sequence[Column]) -> str:
    """The SQL of a whole line, without its end."""
    return "concat_ws(',', " + ", ".join(f"coalesce(({column.cell})::text, '')" for column in columns) + ")"


def csv_chunks(columns: Sequence[Column], lines_sql: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """The file in pieces: the header at once, then the lines that the query finds, of one snapshot.

    They wait in the database, so memory does not grow with their number. An error rises out of the iterator, after a last
    line that says so, because some servers (granian 2.8) end the answer then as if it were complete.
    """
    yield ",".join(column.name for column in columns) + LINE_END
    try:
        yield from _line_chunks(lines_sql, parameters)
    except Exception:
        yield INCOMPLETE + LINE_END
        raise


def _line_chunks(lines_sql: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        _plan_for_all_rows()
        cursor.execute(lines_sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_A_TIME):
            yield LINE_END.join(line for (line,) in rows) + LINE_END


def _plan_for_all_rows() -> None:
    """Until the transaction ends, plan for the last row and not for the first, without compiling, and with hash joins:
    merge joins of a big table with a small one on its organization alone compare every row with every row."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off")
