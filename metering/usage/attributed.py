"""Rows of usage that know what it was for: one column for each dimension that a query needs, `value_0`, `value_1` …

Usage of one dimension alone has rows of its own, one for each value. Everything else comes from the rows of whole attributions.
What says nothing of a dimension is in neither: it is the coarser row less those, so every breakdown adds up to the total. Of
one dimension, all its values together have a row for that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from metering.attribution_models import ALL, NOTHING
from metering.cluster.state import gathered, is_distributed, parts_table
from metering.measures import MEASURES
from metering.usage.groupings import NONE, Grain, Grouping
from metering.usage.queries import MEASURE_SUMS, OWN_MEASURES, UsageQuery, ValueFilter

OF_GRAIN: Final = {
    Grain.ORGANIZATION: (),
    Grain.UNTRACKED: (),
    Grain.USER: ("user_id",),
    Grain.KEY: ("user_id", "api_key_id"),
}

IS_VALUE: Final = f"usage.value_id <> {ALL}"
IS_ALL: Final = f"usage.value_id = {ALL}"


def _left_over(measures: Iterable[str]) -> str:
    return ", ".join(f"usage.{measure} - coalesce(known.{measure}, 0) AS {measure}" for measure in measures)


def _some_left(measures: Iterable[str]) -> str:
    return f"({' OR '.join(f'usage.{measure} <> coalesce(known.{measure}, 0)' for measure in measures)})"


LEFT_OVER: Final = _left_over(MEASURES)
SOME_LEFT: Final = _some_left(MEASURES)


@dataclass(frozen=True)
class Months:
    """A table of months by value, what its rows are told apart by beside it, and where the days of all usage know that."""

    table: str
    apart: str
    days: str


TOTALS: Final = "metering_attributedmonthlytotal"
BY_SKU: Final = Months("metering_valuemonthlyusage", "sku_id", "metering_organizationdailyusage AS usage")
BY_USAGE_TYPE: Final = Months(
    "metering_valuemonthlytotal",
    "usage_type",
    "metering_organizationdailyusage AS usage JOIN metering_sku AS sku ON sku.id = usage.sku_id",
)


@dataclass(frozen=True)
class Span:
    """Which rows: the tables of a step, the column that says when, and the condition on it.

    `among`: the parameter that holds the parts that are meant, where not all are.
    """

    tables: str
    slot: str
    when: str
    among: str = ""


def rows(query: UsageQuery, grain: Grain, span: Span, dimensions: tuple[Grouping, ...], *, whole: bool = False) -> str:
    """What stands behind FROM for these dimensions, of which those that the query filters come first.

    `whole`: they are asked which parts there are; rows of nothing at all are then left out, which costs a look at each measure.
    """
    if len(dimensions) == 1 and grain == Grain.ORGANIZATION:
        return _of_one_dimension(query, span, dimensions[0], whole=whole)
    return _with_nothing(_of_attributions(query, grain, span, dimensions, whole=whole), dimensions)


def by_attribution(query: UsageQuery, span: Span) -> str:
    """As `rows`, those of each key, with their `attribution_id` and what the query filters."""
    return rows(query, Grain.KEY, span, query.filtered_dimensions, whole=True)


def whole_month(query: UsageQuery, dimension: Grouping, months: Months, measures: Sequence[str]) -> str:
    """As `rows`, the parts of one dimension over a month, without those of nothing at all, with these measures alone."""
    apart, slot = months.apart, "%(start)s::date AS month"
    own = ", ".join(f"usage.{measure}" for measure in measures)
    values = f"""
        SELECT usage.organization_id, usage.month, usage.{apart}, usage.value_id AS value_0, {own}
        FROM {months.table} AS usage WHERE usage.month = %(start)s AND {_of_dimension(dimension)} AND {IS_VALUE}
    """
    if not _wants_nothing(query, dimension):
        return f"({values})"
    sums = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in measures)
    return f"""({values} UNION ALL
        SELECT usage.organization_id, {slot}, usage.{apart}, {_nothing(dimension)}, {_left_over(measures)}
        FROM (
            SELECT usage.organization_id, {apart}, {sums} FROM {months.days}
            WHERE usage.day >= %(start)s AND usage.day < %(end)s AND {_of_organizations()} GROUP BY 1, 2
        ) AS usage LEFT JOIN (
            SELECT usage.organization_id, usage.{apart}, {sums} FROM {months.table} AS usage
            WHERE usage.month = %(start)s AND {_of_dimension(dimension)} AND {IS_ALL} GROUP BY 1, 2
        ) AS known USING (organization_id, {apart})
        {_own_project(dimension)} WHERE {_some_left(measures)}
    )"""


def months_by_attribution(query: UsageQuery, grain: Grain, measures: Sequence[str]) -> str:
    """As `rows`, the parts of a month by their usage types alone, with these measures alone, for any dimensions."""
    apart = ("organization_id", *OF_GRAIN[grain], "usage_type")
    key = ", ".join(f"usage.{name}" for name in apart)
    numbers = ", ".join(f"{place}" for place, _ in enumerate(apart, start=1))
    own = ", ".join(f"usage.{measure}" for measure in measures)
    sums = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in measures)
    whose = f"usage.month = %(start)s AND {_whose(query, grain)}"
    attributed = f"SELECT {key}, usage.month, usage.attribution_id, {own} FROM {TOTALS} AS usage WHERE {whose}"
    if named := _named(query):
        return with_values(f"({attributed} AND {named})", query.dimensions)
    left = f"""
        SELECT {key}, %(start)s::date AS month, {NOTHING}, {_left_over(measures)}
        FROM (
            SELECT {key.replace("usage.usage_type", "sku.usage_type")}, {sums} FROM metering_monthlyusage AS usage
            JOIN metering_sku AS sku ON sku.id = usage.sku_id WHERE {whose} GROUP BY {numbers} {gathered()}
        ) AS usage LEFT JOIN (
            SELECT {key}, {sums} FROM {TOTALS} AS usage WHERE {whose} GROUP BY {numbers}
        ) AS known USING ({", ".join(apart)}) WHERE {_some_left(measures)}
    """
    return with_values(f"({attributed} UNION ALL {left})", query.dimensions)


def with_values(attributed: str, dimensions: tuple[Grouping, ...], *, fence: str = "") -> str:
    """Rows with an `attribution_id` and, beside them, their value of each dimension; the joins multiply nothing.

    With a `fence` the values are found before anything else is asked.
    """
    known = f"(SELECT usage.*{_known(dimensions)} FROM {attributed} AS usage {_parts(dimensions)} {fence})"
    return _with_nothing(known, dimensions)


def _known(dimensions: tuple[Grouping, ...]) -> str:
    """The columns `known_0`, `known_1` …: the values that are in the attribution, and NULL where none is."""
    return "".join(f", part_{place}.value_id AS known_{place}" for place, _ in enumerate(dimensions))


def _parts(dimensions: tuple[Grouping, ...]) -> str:
    """Joins what `_known` names."""
    return " ".join(
        f"LEFT JOIN {parts_table()} AS part_{place} ON part_{place}.attribution_id = usage.attribution_id"
        f" AND part_{place}.attribute_id = ANY(%({found.ids_parameter})s)"
        for place, found in enumerate(dimensions)
    )


def _with_nothing(known: str, dimensions: tuple[Grouping, ...]) -> str:
    """Rows that know their values, with the part of nothing in the place of none."""
    columns = "".join(
        f", coalesce(usage.known_{place}, {_nothing(found)}) AS value_{place}" for place, found in enumerate(dimensions)
    )
    own = next((_own_project(found) for found in dimensions if found.is_of_projects), "")
    return f"(SELECT usage.*{columns} FROM {known} AS usage {own})"


def _of_one_dimension(query: UsageQuery, span: Span, dimension: Grouping, *, whole: bool) -> str:
    table = f"metering_value{span.tables}usage"
    key = f"usage.organization_id, usage.{span.slot}, usage.sku_id"
    values = f"""
        SELECT {key}, usage.value_id AS value_0, {OWN_MEASURES}
        FROM {table} AS usage WHERE {span.when} AND {_of_dimension(dimension)} AND {IS_VALUE}{_and_among(span)}
    """
    if not _wants_nothing(query, dimension):
        return f"({values})"
    return f"""({values} UNION ALL
        SELECT {key}, {_nothing(dimension)}, {LEFT_OVER}
        FROM metering_organization{span.tables}usage AS usage
        LEFT JOIN (
            SELECT {key}, {MEASURE_SUMS} FROM {table} AS usage
            WHERE {span.when} AND {_of_dimension(dimension)} AND {IS_ALL} GROUP BY 1, 2, 3
        ) AS known USING (organization_id, {span.slot}, sku_id)
        {_own_project(dimension)} WHERE {span.when} AND {_of_organizations()}{_and_some_left(whole)}
        {gathered()}
    )"""


def _of_attributions(
    query: UsageQuery, grain: Grain, span: Span, dimensions: tuple[Grouping, ...], *, whole: bool
) -> str:
    """The rows of whole attributions, and what is left of those of the grain, with their `known` values.

    The first alone are joined with values: on a cluster a join with both together would not stay on the nodes.
    """
    names = ("organization_id", span.slot, *OF_GRAIN[grain], "sku_id")
    key = ", ".join(f"usage.{name}" for name in names)
    numbers = ", ".join(f"{place}" for place, _ in enumerate(names, start=1))
    whose = _whose(query, grain)
    table = f"metering_attributed{span.tables}usage"
    attributed = f"""
        SELECT {key}, usage.attribution_id, {OWN_MEASURES}{_known(dimensions)}
        FROM {table} AS usage {_parts(dimensions)} WHERE {span.when} AND {whose}
    """
    if named := _named(query):
        return f"({attributed} AND {named})"
    known = f"SELECT {key}, {MEASURE_SUMS} FROM {table} AS usage WHERE {span.when} AND {whose} GROUP BY {numbers}"
    own = query.filters("usage", by_user=bool(OF_GRAIN[grain]), by_key=grain == Grain.KEY, by_sku=False)
    no_values = "".join(f", NULL::integer AS known_{place}" for place, _ in enumerate(dimensions))
    return f"""({attributed} UNION ALL
        SELECT {key}, {NOTHING}, {LEFT_OVER}{no_values} FROM metering_{grain}{span.tables}usage AS usage
        LEFT JOIN ({known}) AS known USING ({", ".join(names)}) WHERE {span.when} AND {own}{_and_some_left(whole)}
        {gathered()}
    )"""


def _whose(query: UsageQuery, grain: Grain) -> str:
    """The condition on rows that know users and keys, for what is asked of a coarser grain too."""
    untracked = " AND usage.api_key_id = 0" if grain == Grain.UNTRACKED else ""
    return f"{query.filters('usage', by_sku=False)}{untracked}"


def _named(query: UsageQuery) -> str:
    """The condition on attributions that have the values that are asked for; nothing where what has none is meant too."""
    named = (_has_value(place, found) for place, found in enumerate(query.values) if not found.with_nothing)
    return " AND ".join(named)


def _has_value(place: int, named: ValueFilter) -> str:
    """Looked up first, as a list: PostgreSQL expects so few attributions of a value that it would read the days for each."""
    return (
        f"usage.attribution_id = ANY(ARRAY(SELECT part.attribution_id FROM {parts_table()} AS part"
        f" WHERE part.attribute_id = ANY(%({named.dimension.ids_parameter})s) AND part.value_id = ANY(%(values_{place})s)))"
    )


def _and_some_left(whole: bool) -> str:  # noqa: FBT001 - of the caller's `whole`
    return f" AND {SOME_LEFT}" if whole else ""


def _and_among(span: Span) -> str:
    """Said where the rows are only on a cluster: PostgreSQL would find it outside, and expect fewer rows when told twice."""
    return f" AND usage.value_id = ANY(%({span.among})s::bigint[])" if span.among and is_distributed() else ""


def _of_organizations() -> str:
    return "usage.organization_id = ANY(%(organization_ids)s)"


def _of_dimension(dimension: Grouping) -> str:
    return f"{_of_organizations()} AND usage.attribute_id = ANY(%({dimension.ids_parameter})s)"


def _wants_nothing(query: UsageQuery, dimension: Grouping) -> bool:
    return all(found.with_nothing for found in query.values if found.dimension == dimension)


def _nothing(dimension: Grouping) -> str:
    """The part of what has no value: a number as wide as `value_id`, whose index would not be found behind a cast."""
    return f"coalesce(own_project.id, {NONE})::integer" if dimension.is_of_projects else f"{NONE}"


def _own_project(dimension: Grouping) -> str:
    """Joins the default project of a row's organization, if it has one, where parts are projects."""
    if not dimension.is_of_projects:
        return ""
    return (
        "LEFT JOIN accounts_project AS own_project"
        " ON own_project.organization_id = usage.organization_id AND own_project.is_default"
        " AND own_project.organization_id = ANY(%(organization_ids)s)"
    )
