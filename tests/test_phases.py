"""`make test` collects the tests that kill servers from a few folders alone, so that each of them has to lie in one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_file_of_fault_tests_lies_in_a_folder_that_make_looks_into() -> None:
    (named,) = re.findall(r"^FAULTS = (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    folders = [ROOT / folder for folder in named.split()]
    marked = [
        path for path in (ROOT / "tests").rglob("test_*.py") if re.search(r"mark\.(faults|alone)\b", path.read_text())
    ]
    for folder in folders:
        assert any(path.is_relative_to(folder) for path in marked), folder
    for path in marked:
        assert path == Path(__file__).resolve() or any(path.is_relative_to(folder) for folder in folders), path
