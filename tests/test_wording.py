"""One voice in everything that people read: pages, messages, emails, commands and docs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
APPS: Final = ("accounts", "apikeys", "billing", "exports", "metering", "usage_dashboard")
UNWANTED: Final = {
    r"\be-mails?\b": "email, without a hyphen",
    r"\breads? Untracked": "shown as Untracked",
    r"\bbegins anew\b": "resets",
    r"\bSettings →": "a group that the menu has: Organization, Operator or You",
    r"\bover (?:\$|\{\})": "for an amount",
    r"(?<![{\w])(?:\d|\}) %(?![\w(}])": "65.2%, without a space",
}
COUNT: Final = re.compile(r"\{\{ *([\w.]*\b(?:num_\w+|total)|[\w.]+\|length)((?:\|[^}]*)?) *\}\}")
TEXTS: Final = {"chart.total", "document.total"}
"""What is a text by the time that a template has it."""


def read_by_people() -> Iterator[tuple[str, str]]:
    """Where a text stands, and the text: templates, docs, and the strings of the code that are not docstrings."""
    for pattern in ("templates/**/*.html", "templates/**/*.txt", "docs/**/*.md", "*.md"):
        for path in ROOT.glob(pattern):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" not in path.parts:
                yield from strings_of(path)


def strings_of(path: Path) -> Iterator[tuple[str, str]]:
    """The strings of a module; what an f-string puts in reads {}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unread = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [str(piece.value) if isinstance(piece, ast.Constant) else "{}" for piece in node.values]
            unread |= {id(piece) for piece in node.values}
            yield f"{path.relative_to(ROOT)}:{node.lineno}", "".join(pieces)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unread:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


@pytest.mark.parametrize(("pattern", "better"), UNWANTED.items())
def test_what_people_read_is_in_one_voice(pattern: str, better: str) -> None:
    texts = [(where, " ".join(text.split())) for where, text in read_by_people()]
    assert len(texts) > 1000
    found = [
        f"{where}: {hit}"
        for where, text in texts
        for hit in re.findall(rf".{{0,40}}{pattern}.{{0,20}}", text, re.IGNORECASE)
    ]
    assert found == [], better


def test_counts_have_thousands_separators_on_every_page() -> None:
    found = [
        (str(path.relative_to(ROOT)), name, filters)
        for path in ROOT.glob("templates/**/*.html")
        for name, filters in COUNT.findall(path.read_text(encoding="utf-8"))
        if name not in TEXTS
    ]
    assert len(found) > 50
    assert [count for count in found if not re.search(r'counted:|floatformat:"\dg"|pluralize:', count[2])] == []
