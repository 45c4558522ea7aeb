"""Sums of usage and of what it costs, per bucket of time and group, as SQL finds them; and the ids that people know."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from accounts.models import Organization
from accounts.periods import midnight
from billing.priced_usage import quantity_of
from metering.usage.groupings import UNTRACKED, Grouping
from metering.usage.names import Names, names_of
from metering.usage.queries import UsageQuery, fetch
from metering.usage.sources import bars_by

QUANTITY: Final = quantity_of("price")
AMOUNT: Final = "coalesce(sum(quantity * unit_price), 0)"
WHOLE: Final = Decimal(1)
WHOLE_SLOT: Final = "%(start_at)s"
NO_PARAMETERS: Final[Mapping[str, object]] = {}
Row = tuple[Any, ...]


def usage_sums(
    query: UsageQuery, groups: Sequence[Grouping], sums: Sequence[str], *, most: int, whole: bool = False
) -> list[Row]:
    """(slot, the part of each group, each sum): the first rows, `most` at most, in the order of the slots. Of `sums`, which are
    expressions of usage rows, one at least is not zero. `whole`: all of the query's time is one slot, and the rows with the
    largest first sum come first."""
    bars, parts = bars_by(query, groups)
    sums = [f"sum({expression})" for expression in sums]
    expressions = [WHOLE_SLOT if whole else bars.slot, *parts]
    largest = f"{sums[0]} DESC, " if whole else ""
    numbers = ", ".join(str(place) for place, _ in enumerate(expressions, start=1))
    return fetch(
        f"""
        SELECT {", ".join([*expressions, *sums])} {bars.from_where}
        GROUP BY {numbers} HAVING {" OR ".join(f"{one} <> 0" for one in sums)}
        ORDER BY {largest}{numbers} LIMIT %(most)s
        """,
        {**query.parameters(), "most": most},
    )


def cost_sums(  # noqa: PLR0913 - one keyword for each thing that can be asked
    query: UsageQuery,
    groups: Sequence[Grouping],
    *,
    most: int,
    by_item: bool,
    whole: bool = False,
    condition: str = "true",
    parameters: Mapping[str, object] = NO_PARAMETERS,
) -> list[Row]:
    """(slot, the part of each group, the line item if `by_item`, amount, quantity, whether any of it has no price): as
    `usage_sums`, the largest amounts first, each quantity of a row at the price of its day. `condition` is about `usage`,
    `sku` and `price`."""
    bars, parts = bars_by(query, groups)
    columns = [WHOLE_SLOT if whole else bars.slot, *parts, *(["price.line_item"] if by_item else ())]
    largest = f"{AMOUNT} DESC, " if whole else ""
    names = [f"part_{place}" for place, _ in enumerate(columns)]
    selected = ", ".join(f"{column} AS {name}" for column, name in zip(columns, names, strict=True))
    return fetch(
        f"""
        SELECT {", ".join(names)}, {AMOUNT}, sum(quantity), bool_or(unit_price IS NULL)
        FROM (
            SELECT {selected}, price.unit_price, {QUANTITY} AS quantity
            FROM {bars.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
            JOIN billing_dailycost price
                ON price.organization_id = usage.organization_id AND price.day = {bars.day} AND price.sku_id = usage.sku_id
            WHERE {bars.conditions} AND {condition} OFFSET 0
        ) AS items
        WHERE quantity <> 0 GROUP BY {", ".join(names)} ORDER BY {largest}{", ".join(names)} LIMIT %(most)s
        """,
        {**query.parameters(), **parameters, "most": most},
    )


def start_of(slot: date | datetime) -> datetime:
    return slot if isinstance(slot, datetime) else midnight(slot)


def shortest(number: Decimal) -> Decimal:
    """Without zeros behind the point, and without an exponent. Sums may be larger than any integer of the encoder."""
    if number.same_quantum(WHOLE):
        return number  # by far the most
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def names_in(rows: Sequence[Row], groups: Sequence[Grouping], organizations: Sequence[Organization]) -> Names:
    """The names of the parts of rows, which stand behind their slots."""
    wanted = {group: {row[place] for row in rows} for place, group in enumerate(groups, start=1)}
    return names_of(wanted, organizations)


def id_of(group: Grouping, part: int, names: Names) -> str | None:
    """The id of a part as people know it; none of what no key tells."""
    return None if group.has_untracked and part == UNTRACKED else names.of(group, part).address_value
