"""Advisory locks: each has a number of its own, or two things that have nothing to do with each other wait for each other."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.db import connection

from accounts.staff import superusers
from billing.invoices import balance

ROOT: Final = Path(__file__).parent.parent
APPS: Final = ("accounts", "apikeys", "billing", "exports", "metering", "usage_dashboard")
OURS: Final = 0x5553_4147  # what the key of every lock of ours begins with
HALVES: Final = 0x5553_41  # what the first half of a key in two halves begins with; the second says whom it is about


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    found = [found for app in APPS for path in (ROOT / app).rglob("*.py") for found in numbers_of(path)]
    assert len(found) >= 10
    taken = Counter(number for number, _ in found)
    assert [f"{number:#x} in {where}" for number, where in found if taken[number] > 1] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("function", "taken"),
    [
        ("billing_refund_is_covered", f"pg_advisory_xact_lock({balance.LOCK},"),
        ("accounts_installation_keeps_a_superuser", f"pg_advisory_xact_lock({superusers.SUPERUSERS_LOCK})"),
    ],
)
def test_the_database_takes_the_locks_that_the_code_takes(function: str, taken: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
        (source,) = cursor.fetchone()
    assert taken in source


def numbers_of(path: Path) -> Iterator[tuple[int, str]]:
    """The keys of locks that a module gives names to, also those that it derives from another one's, and where."""
    named: dict[str, int] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            number = number_of(node.value, named)
            if number is not None and (number >> 16 == OURS or number >> 8 == HALVES):
                named[node.target.id] = number
                yield number, f"{path.relative_to(ROOT)}:{node.lineno}"


def number_of(value: ast.expr, named: dict[str, int]) -> int | None:
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return value.value
    if isinstance(value, ast.Name):
        return named.get(value.id)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, right = number_of(value.left, named), number_of(value.right, named)
        return None if left is None or right is None else left + right
    return None
