"""docs/opentelemetry.md names every attribute that is read, in the order in which they are believed."""

import re
from pathlib import Path
from typing import Final

from metering.intake.sources.otlp.leaves import REASONS
from metering.intake.sources.otlp.names import COUNTS, OPERATIONS, TEXTS

PAGE: Final = (Path(__file__).parents[5] / "docs" / "opentelemetry.md").read_text()


def test_every_name_is_in_the_table_and_those_of_one_field_are_in_their_order() -> None:
    _, table = PAGE.split("| of the event | attributes |")
    rows = [re.findall(r"`(\S+?)`", row) for row in table.partition("\n\n")[0].splitlines()]
    for field, names in (*COUNTS.items(), *((name, TEXTS[name]) for name in ("model", "provider", "tier"))):
        if "image" in field or "video" in field:
            continue  # "the same of `image` and `video`"
        (row,) = [row for row in rows if names[0] in row]
        assert [name for name in row if name in names] == list(names)


def test_every_operation_and_every_reason_is_told() -> None:
    assert {name for name in (*OPERATIONS, *REASONS) if f"`{name}`" not in PAGE} == set()
