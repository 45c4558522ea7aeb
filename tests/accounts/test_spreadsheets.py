"""Cells of CSV files: none is a formula, however a spreadsheet divides the line, and Python and PostgreSQL agree."""

import csv
import io
import re

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.spreadsheets import harmless, harmless_sql

SIGNS = "=+-@＝＋－＠"
DELIMITERS = ",;\t|"
TEXTS = st.text(st.sampled_from([*SIGNS, *DELIMITERS, *" \r\n\"'ab1ü", "\u3000"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("-5", "'-5"),
        ("＝1+1", "'＝1+1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("x;=1+1", "x;'=1+1"),
        ("x|+1", "x|'+1"),
        ("x\t@a", "x\t'@a"),
        ("x; =1", "x; '=1"),
        ('x;"=1', "x;\"'=1"),
        ("x\n=1", "x\n'=1"),
        ("\tx", "'\tx"),
        ("gpt-4o", "gpt-4o"),
        ("1+1=2", "1+1=2"),
        ("a@b.test", "a@b.test"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_text(text: str, expected: str) -> None:
    assert harmless(text) == expected


@given(TEXTS)
def test_no_cell_of_any_reading_begins_with_a_sign(text: str) -> None:
    line = io.StringIO()
    csv.writer(line).writerow(["a", harmless(text), "b"])
    for delimiter in DELIMITERS[1:]:
        cells = [cell.strip(' "\u3000') for cell in re.split(rf"[{delimiter}\r\n]", line.getvalue())]
        assert not [cell for cell in cells if cell.startswith(tuple(SIGNS))], (delimiter, cells)


@pytest.mark.django_db
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TEXTS)
def test_postgresql_writes_the_same(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {harmless_sql('%s::text')}", [text])
        assert cursor.fetchone() == (harmless(text),)
