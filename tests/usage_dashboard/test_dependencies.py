"""What the product imports is declared, and what is declared is used."""

import ast
import re
import tomllib
from importlib.metadata import packages_distributions

from tests.shape import APPS, ROOT, Module, modules_of


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Also what is wanted for an extra alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    return {normalized(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in [*project["dependencies"], *extras]}


def imported_by(module: Module) -> set[str]:
    """The packages that its import statements name."""
    nodes = list(ast.walk(module.tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.partition(".")[0]
        for name in plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    }


def texts_of(module: Module) -> set[str]:
    """The words of its strings: programs that are started, files of packages, and apps of the settings go by name."""
    strings = (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
    return {word for text in strings if isinstance(text, str) for word in re.findall(r"\w+", text)}


def test_every_package_that_is_imported_is_declared() -> None:
    distributions = packages_distributions()
    imported = set().union(*map(imported_by, modules_of(*APPS)))
    used = [{normalized(name) for name in distributions[package]} for package in imported if package in distributions]
    assert {"django"} in used
    assert {"plotly"} in used
    assert [
        names for names in used if not names & declared()
    ] == []  # several of them share `google` and `opentelemetry`


def test_every_package_that_is_declared_is_used() -> None:
    modules = modules_of(*APPS)
    named = set().union(*map(imported_by, modules), *map(texts_of, modules))
    used = {
        normalized(name) for package, names in packages_distributions().items() if package in named for name in names
    }
    assert declared() - used == set()
