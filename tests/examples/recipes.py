"""Recipes of the pages in docs/: taken out as they stand, filled in where a reader fills them in, and run."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 60


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def block(text: str, language: str, beginning: str = "") -> str:
    """The one block of a page that is in this language and begins so."""
    [found] = [
        block for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if block.startswith(beginning)
    ]
    return str(found)


def filled(recipe: str, values: Mapping[str, str]) -> str:
    """The recipe with what a reader has to put there: each of the texts must be in it."""
    for before, after in values.items():
        assert before in recipe, f"{before} is not in the recipe"
        recipe = recipe.replace(before, after)
    return recipe


def run(*command: str, **environment: str) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "NO_PROXY": "*", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(recipe: str, **variables: str) -> dict[str, str]:
    """The variables of the environment that the recipe's `export` lines set, as a shell sets them."""
    names = re.findall(r"^export (\w+)=", recipe, re.MULTILINE)
    lines = [line for line in recipe.splitlines() if line.startswith("export ")]
    printed = run("sh", "-c", "\n".join([*lines, *(f'printf "%s\\0" "${name}"' for name in names)]), **variables)
    return dict(zip(names, printed.split("\0"), strict=False))
