"""How a file is made of columns: exact numbers, quoted text, a head always, and no file that looks whole and is not."""

import csv
import io
import json
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pytest
from django.db import DataError, ProgrammingError, connection

from exports.columns import (
    CSV,
    INCOMPLETE,
    JSON,
    ROWS_AT_A_TIME,
    Column,
    Format,
    Kind,
    Source,
    Statement,
    cells_sql,
    chunks,
    each_ahead,
    exact_cell,
    line_sql,
    named_cell,
)

COLUMNS: Final = (
    Column("number", "sums.number", Kind.WHOLE),
    Column("amount", exact_cell("sums.amount", decimals=2), Kind.NUMBER),
    Column("text", "sums.text", Kind.TEXT),
    Column("tier", named_cell("sums.tier", {1: "default", 2: "flex"})),
)
FORMATS = pytest.mark.parametrize("form", [CSV, JSON], ids=["csv", "json"])


def statement(form: Format, rows: str) -> Statement:
    return f"SELECT {line_sql(form, COLUMNS)} FROM (VALUES {rows}) AS sums (number, amount, text, tier)", {}


def file_of(form: Format, rows: str) -> str:
    return "".join(chunks(form, COLUMNS, lambda: statement(form, rows)))


def scalar(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}")
        return cursor.fetchone()[0]


def test_both_formats_say_the_same(db: None) -> None:
    rows = "(1, 0.5, 'a \"quoted\", text', 1), (2, 12.3456789, NULL, 2), (3, NULL, E'two\\nlines', 7)"
    from_json = json.loads(file_of(JSON, rows), parse_float=Decimal)
    from_csv = list(csv.DictReader(io.StringIO(file_of(CSV, rows), newline="")))
    assert from_json == [
        {"number": 1, "amount": Decimal("0.50"), "text": 'a "quoted", text', "tier": "default"},
        {"number": 2, "amount": Decimal("12.3456789"), "text": None, "tier": "flex"},
        {"number": 3, "amount": None, "text": "two\nlines", "tier": None},
    ]
    assert from_csv == [{name: "" if value is None else str(value) for name, value in row.items()} for row in from_json]


def test_lines_of_csv_end_with_cr_lf_and_the_last_one_does_too(db: None) -> None:
    assert file_of(CSV, "(1, 0.5, 'x', 1)") == 'number,amount,text,tier\r\n1,0.50,"x",default\r\n'


def test_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_below_zero_are_not(db: None) -> None:
    [_, line, _] = file_of(CSV, "(-1, -0.5, '=1+1', 1)").split("\r\n")
    number, amount, text, _ = next(csv.reader([line]))
    assert (number, amount) == ("-1", "-0.50")
    assert not text.startswith("=")
    assert text.endswith("=1+1")


@FORMATS
def test_a_file_without_rows_has_its_head_and_is_whole(db: None, form: Format) -> None:
    nothing = statement(form, "(1, 0.5, 'x', 1)")[0] + " WHERE false"
    text = "".join(chunks(form, COLUMNS, lambda: (nothing, {})))
    assert text == {"csv": "number,amount,text,tier\r\n", "json": "[\n]\n"}[form.extension]


@FORMATS
def test_a_file_that_breaks_off_says_so_and_the_error_rises(db: None, form: Format) -> None:
    last = ROWS_AT_A_TIME + 1
    sql = f"SELECT (1 / ({last} - n))::text FROM generate_series(1, {last}) AS n"
    pieces: list[str] = []
    with pytest.raises(DataError, match="division by zero"):
        pieces.extend(chunks(form, COLUMNS, lambda: (sql, {})))
    assert pieces[0] == form.head(COLUMNS)
    assert INCOMPLETE in pieces[-1]
    assert form.tail not in pieces[1:]


def test_a_statement_that_cannot_be_made_ends_the_file_too(db: None) -> None:
    def broken() -> Statement:
        return "SELECT nothing", {}

    found = chunks(CSV, COLUMNS, broken)
    assert next(found) == "number,amount,text,tier"
    assert INCOMPLETE in next(found)
    with pytest.raises(ProgrammingError):
        next(found)


@pytest.mark.parametrize(
    ("number", "decimals", "expected"),
    [("1", 0, "1"), ("1", 2, "1.00"), ("1.5000", 0, "1.5"), ("0.0036751", 2, "0.0036751"), ("-0.10", 2, "-0.10")],
)
def test_numbers_keep_all_their_digits_and_no_needless_ones(
    db: None, number: str, decimals: int, expected: str
) -> None:
    assert str(scalar(exact_cell(f"{number}::numeric", decimals=decimals))) == expected


def test_neighbours_of_one_source_are_written_once_and_a_missing_one_leaves_empty_cells(db: None) -> None:
    columns = (
        Column("id", "sums.id", Kind.WHOLE),
        Column("person", "people.name", Kind.TEXT, Source.PERSON),
        Column("email", "people.email", Kind.TEXT, Source.PERSON),
        Column("day", "sums.day"),
        Column("person_id", "people.public_id", Kind.WORD, Source.PERSON),
    )
    sql = f"""
        WITH people AS (SELECT 1 AS id, {cells_sql(CSV, columns, Source.PERSON)}
            FROM (VALUES ('Ann', 'a@x', 'user_1')) AS people (name, email, public_id))
        SELECT {line_sql(CSV, columns)} FROM (VALUES (1, 'monday'), (2, 'friday')) AS sums (id, day)
        LEFT JOIN people ON people.id = sums.id ORDER BY sums.id
    """
    lines = "".join(chunks(CSV, columns, lambda: (sql, {}))).splitlines()
    assert lines[1:] == ['1,"Ann","a@x",monday,user_1', "2,,,friday,"]


def test_each_piece_is_fetched_while_the_one_before_it_is_read() -> None:
    fetched: list[int] = []
    is_ahead = threading.Event()

    def fetch() -> Sequence[int]:
        fetched.append(len(fetched))
        if len(fetched) == 2:
            is_ahead.set()
        return [fetched[-1]] if len(fetched) < 4 else []

    found = each_ahead(fetch)
    assert next(found) == [0]
    assert is_ahead.wait(10)
    assert [*found] == [[1], [2]]


def test_a_reader_that_goes_away_leaves_no_fetch_behind() -> None:
    under_way = threading.Semaphore(0)
    ended: list[bool] = []

    def fetch() -> Sequence[int]:
        under_way.release()
        time.sleep(0.05)
        ended.append(True)
        return [1]

    found = each_ahead(fetch)
    next(found)
    under_way.acquire()
    under_way.acquire()
    found.close()
    assert len(ended) == 2
