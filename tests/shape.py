"""The shape of the code in figures, each beside what it should stay within. `make check` prints them.

Exits with 1 where a folder, a file or a function is larger than the house style lets it be, or where two decision records
have one number.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
APPS: Final = ("accounts", "apikeys", "metering", "billing", "exports", "usage_dashboard")
MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES = 15, 400, 50
LEAST_TEST_SHARE: Final = 1.0
MOST_SQL_MODULES, MOST_COST_NAMES, MOST_GROUPING_FILES = 25, 20, 6
SQL: Final = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|MERGE INTO)\b")


@dataclass(frozen=True)
class Module:
    """A module of the project with its text and syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def num_lines(self) -> int:
        """Lines with something in them."""
        return sum(1 for line in self.text.splitlines() if line.strip())

    def functions(self) -> Iterator[tuple[str, int]]:
        """Name and length of each function."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{self.path}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1

    def has_sql(self) -> bool:
        """Whether a string other than a docstring is SQL."""
        docstrings = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        constants = (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        return any(
            isinstance(node.value, str) and id(node) not in docstrings and SQL.search(node.value) for node in constants
        )

    def has_name_of(self, package: str, module: str, names: set[str]) -> bool:
        """Whether it imports one of a module's names, or reads one from the module itself."""
        read = (node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))
        return bool({f"{package}.{module}.{name}" for name in names} & self.names_from(package)) or any(
            isinstance(node.value, ast.Name) and node.value.id == module and node.attr in names for node in read
        )

    def names_from(self, app: str) -> set[str]:
        """The names that it imports from an app."""
        imports = (node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom))
        return {
            f"{node.module}.{alias.name}"
            for node in imports
            if f"{node.module}.".startswith(f"{app}.")
            for alias in node.names
        }


def modules_of(*folders: str) -> list[Module]:
    """All modules in these folders but migrations."""
    paths = sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts
    )
    return [Module(path.relative_to(ROOT), text := path.read_text(), ast.parse(text)) for path in paths]


def too_large(modules: list[Module]) -> list[str]:
    """What is beyond the bounds of the house style."""
    return [
        *(f"{folder}/ has {number} modules" for folder, number in widths(modules).items() if number > MOST_MODULES),
        *(f"{module.path} has {lines} lines" for module in modules if (lines := module.text.count("\n")) > MOST_LINES),
        *(
            f"{name} has {length} lines"
            for module in modules
            for name, length in module.functions()
            if length > MOST_FUNCTION_LINES
        ),
    ]


def widths(modules: list[Module]) -> Counter[Path]:
    """How many modules each folder has."""
    return Counter(module.path.parent for module in modules if module.path.name != "__init__.py")


def numbers_given_twice(decisions: Path) -> list[str]:
    """Decision records whose number another one has, too: references name records by number."""
    numbers = Counter(path.name.partition("-")[0] for path in decisions.glob("*.md"))
    return [f"{number} is the number of {count} decision records" for number, count in numbers.items() if count > 1]


def figures(apps: list[Module], tests: list[Module], benchmarks: list[Module]) -> list[tuple[str, str, str]]:
    """What is counted, the figure, and what it should be."""
    of_cost = [module for module in apps if module.path.is_relative_to("billing/cost")]
    cost_names = set().union(*(module.names_from("metering") for module in of_cost))
    groupings = [
        module for module in apps if module.has_name_of("metering.usage", "groupings", {"MODEL", "API_KEY", "USER"})
    ]
    share = sum(module.num_lines for module in tests) / sum(module.num_lines for module in apps)
    widest = widths([*apps, *tests, *benchmarks]).most_common(1)[0]
    return [
        ("modules in the widest folder", f"{widest[1]} ({widest[0]}/)", f"≤ {MOST_MODULES}"),
        ("names that billing/cost takes from metering", f"{len(cost_names)}", f"≤ {MOST_COST_NAMES}"),
        ("modules that name a certain grouping", f"{len(groupings)}", f"≤ {MOST_GROUPING_FILES}"),
        ("modules with SQL", f"{sum(module.has_sql() for module in apps)}", f"≤ {MOST_SQL_MODULES}"),
        ("lines of tests by lines of apps", f"{share:.2f}", f"≥ {LEAST_TEST_SHARE}"),
    ]


def main() -> int:
    apps, tests, benchmarks = modules_of(*APPS), modules_of("tests"), modules_of("benchmarks")
    for what, figure, wanted in figures(apps, tests, benchmarks):
        print(f"{what:<46} {figure:<22} {wanted}")
    problems = too_large([*apps, *tests, *benchmarks])
    problems = [f"Too large: {problem}" for problem in problems] + numbers_given_twice(ROOT / "docs/decisions")
    for problem in problems:
        print(f"{problem}.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
