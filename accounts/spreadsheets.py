r"""Cells of CSV files that a spreadsheet would run as a formula: one rule for every file, in Python and in SQL.

A spreadsheet takes for a formula what begins with = + - or @, in full width too. Where it divides cells at semicolons,
tabs or bars, or takes a line break in a cell for the end of a row, a formula may begin in the middle of our cell. An
apostrophe before the sign makes it text: `=1+1` → `'=1+1`, `x;=1+1` → `x;'=1+1`. Only text that people chose is changed;
numbers and dates of ours stay what they are.
"""

import re
from typing import Final

# What divides cells, then what a spreadsheet skips at the beginning of one, then the sign. PostgreSQL reads it alike.
FORMULA: Final = r'(^|[;|\t\r\n])([ \t\r\n"\u00a0\u3000]*)([=+@＝＋－＠-])'
BEGINNING: Final = r"^([\t\r])"


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return re.sub(BEGINNING, r"'\1", re.sub(FORMULA, r"\1\2'\3", text))


def harmless_sql(expression: str) -> str:
    """The SQL of the same."""
    inner = rf"regexp_replace({expression}, '{FORMULA}', '\1\2''\3', 'g')"
    return rf"regexp_replace({inner}, '{BEGINNING}', '''\1')"
