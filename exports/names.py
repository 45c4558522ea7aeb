"""Names beside ids, day by day: the query that both exports are made of."""

from collections.abc import Sequence
from typing import Final

from exports.columns import Column, Format
from metering.queries import UsageQuery

# The cells of a name are made once and not once a row; the joins are one to one, so they multiply nothing.
JOINS: Final = """
    LEFT JOIN organizations ON organizations.id = sums.organization_id
    LEFT JOIN people ON people.id = sums.user_id
    LEFT JOIN keys ON keys.id = sums.api_key_id
    LEFT JOIN models ON models.id = sums.model_id
"""
DAYS: Final = "generate_series(%(start)s::date, %(end)s::date - 1, '1 day') AS series (moment)"


def day_by_day_sql(
    query: UsageQuery, form: Format, sums_sql: str, columns: Sequence[Column], *, order: Sequence[str]
) -> str:
    """The SQL of the rows of all days of the query, day after day, each in the given order of the columns of `sums`.

    `sums_sql` finds the rows of the day `days.day`. Each day is summed and sorted by itself, so that its lines are on
    their way before the next one is read.
    """
    keys = ", ".join(f"sums.{name}" for name in order)
    return f"""
        WITH {_names_sql(query, form)}
        SELECT lines.line
        FROM {DAYS}
        CROSS JOIN LATERAL (SELECT moment::date AS day) AS days
        CROSS JOIN LATERAL (
            SELECT {form.line(columns)} AS line FROM ({sums_sql}) AS sums {JOINS} ORDER BY {keys}
        ) AS lines
    """


def _names_sql(query: UsageQuery, form: Format) -> str:
    """Common table expressions with the ready cells of all whose usage the query can find."""
    used = f"""
        FROM metering_dailyusage usage JOIN metering_sku sku ON sku.id = usage.sku_id WHERE {query.conditions("usage")}
    """
    return f"""
        organizations AS MATERIALIZED (
            SELECT id, public_id, {form.text("name")} AS name
            FROM accounts_organization WHERE id = ANY(%(organization_ids)s)
        ),
        people AS MATERIALIZED (
            SELECT id, public_id, {form.text("coalesce(nullif(name, ''), email)")} AS name, {form.text("email")} AS email
            FROM accounts_user WHERE id IN (SELECT usage.user_id {used})
        ),
        keys AS MATERIALIZED (
            SELECT id, public_id, {form.text("name")} AS name, {form.text("redacted")} AS redacted
            FROM apikeys_apikey WHERE id IN (SELECT usage.api_key_id {used})
        ),
        models AS MATERIALIZED (
            SELECT id, {form.text("name")} AS name FROM metering_model
        )
    """
