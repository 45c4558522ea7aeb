"""Names beside ids, day by day: the columns and the query that both exports are made of."""

from collections.abc import Sequence
from typing import Final

from exports.columns import Column, Format, Kind, Source, cells_sql, line_sql
from metering.attribution_models import NOTHING
from metering.attribution_models import PROJECT as OF_PROJECT
from metering.usage.groupings import OTHER_VALUES_NAME, PROJECT
from metering.usage.queries import UsageQuery
from metering.usage.sources import days_by_key

TIMESTAMP_COLUMN: Final = Column("timestamp", "extract(epoch FROM day)::bigint", Kind.NUMBER, Source.DAY)
DATE_COLUMN: Final = Column("date", "day", source=Source.DAY)
ORGANIZATION_COLUMNS: Final = (
    Column("organization_id", "public_id", source=Source.ORGANIZATION),
    Column("organization_name", "name", Kind.TEXT, Source.ORGANIZATION),
)
PERSON_COLUMNS: Final = (
    Column("user_id", "public_id", source=Source.PERSON),
    Column("user_email", "email", Kind.TEXT, Source.PERSON),
)
KEY_COLUMNS: Final = (
    Column("api_key_id", "public_id", source=Source.KEY),
    Column("api_key_name", "name", Kind.TEXT, Source.KEY),
)
MODEL_COLUMN: Final = Column("model", "model.name", Kind.TEXT, Source.SKU)

PROJECT_ID_COLUMN: Final = Column("project_id", "project_id", source=Source.PURPOSE)
PROJECT_NAME_COLUMN: Final = Column("project_name", "project_name", Kind.TEXT, Source.PURPOSE)
ATTRIBUTES_COLUMN: Final = Column("attributes", "attributes", Kind.OBJECT, Source.PURPOSE)

PERSON_AND_KEY: Final = "(coalesce(people.place, 0) << 23 | coalesce(keys.place, 0))"
"""The SQL of a number that rows are sorted by: known persons by their ids, and of each what is of no key before what is of
keys. One number is compared in half the time of two. It has room for 4 million persons, 8 million keys, and 18 bits of what comes
after them; beyond that only the order is another."""

# One to one, so they multiply nothing.
JOINS: Final = """
    LEFT JOIN organizations ON organizations.id = sums.organization_id
    LEFT JOIN people ON people.id = sums.user_id
    LEFT JOIN keys ON keys.id = sums.api_key_id
    LEFT JOIN skus ON skus.id = sums.sku_id
    LEFT JOIN purposes ON purposes.organization_id = sums.organization_id AND purposes.id = sums.attribution_id
"""
# Each combination of a project and values that the organizations have used, and that of neither.
PURPOSES: Final = f"""
    SELECT purpose.organization_id, purpose.id, project.public_id AS project_id,
        coalesce(project.name, '{PROJECT.nothing_name}') AS project_name,
        coalesce((
            SELECT jsonb_object_agg(attribute.name, coalesce(value.value, '{OTHER_VALUES_NAME}'))
            FROM metering_attributionpart AS part
            JOIN accounts_attribute AS attribute ON attribute.id = part.attribute_id
            LEFT JOIN metering_attributevalue AS value ON value.id = part.value_id
            WHERE part.attribution_id = purpose.id
        )::text, '{{}}') AS attributes
    FROM (
        SELECT organization_id, id FROM metering_attribution WHERE organization_id = ANY(%(organization_ids)s)
        UNION ALL
        SELECT id, {NOTHING} FROM accounts_organization WHERE id = ANY(%(organization_ids)s)
    ) AS purpose
    LEFT JOIN metering_attributionpart AS named ON named.attribution_id = purpose.id AND named.attribute_id = {OF_PROJECT}
    LEFT JOIN accounts_project AS project ON project.organization_id = purpose.organization_id
        AND (project.id = named.value_id OR named.value_id IS NULL AND project.is_default)
"""


def day_by_day_sql(
    query: UsageQuery, form: Format, sums_sql: str, columns: Sequence[Column], *, order: Sequence[str]
) -> str:
    """The SQL of the rows of all days of the query, day after day, each by organization and in the given order.

    `sums_sql` finds the rows of the day `days.day`: organization_id, user_id, api_key_id, sku_id, attribution_id, and what the
    columns of the row itself and `order` need. Each day is summed and sorted by itself, so that its lines are on their way before
    the next one is read.
    """
    first = ("sums.organization_id",) if len(query.organization_ids) > 1 else ()
    order = (*first, *order, "sums.user_id", "sums.api_key_id", "sums.attribution_id")
    return f"""
        WITH {", ".join(f"{source} AS MATERIALIZED ({sql})" for source, sql in _sources(query, form, columns).items())}
        SELECT lines.line
        FROM days CROSS JOIN LATERAL (
            SELECT {line_sql(form, columns)} AS line FROM ({sums_sql}) AS sums {JOINS} ORDER BY {", ".join(order)}
        ) AS lines
    """


def _sources(query: UsageQuery, form: Format, columns: Sequence[Column]) -> dict[Source, str]:
    """The ready cells of all that the query can find, and where needed the `place` among them, from 1, that they are sorted
    by; it is the same for SKUs of which an export says the same."""
    used = (
        f"FROM {days_by_key()} usage JOIN metering_sku sku ON sku.id = usage.sku_id WHERE {query.conditions('usage')}"
    )
    by_id = "row_number() OVER (ORDER BY id) AS place"
    tables = {
        Source.DAY: "day FROM (SELECT generate_series(%(start)s::date, %(end)s::date - 1, '1 day')::date AS day) AS day",
        Source.ORGANIZATION: "id FROM accounts_organization WHERE id = ANY(%(organization_ids)s)",
        Source.PERSON: f"id, {by_id} FROM accounts_user WHERE id IN (SELECT usage.user_id {used})",
        Source.KEY: f"id, {by_id} FROM apikeys_apikey WHERE id IN (SELECT usage.api_key_id {used})",
        Source.SKU: "sku.id, model_id, dense_rank() OVER (ORDER BY model_id, usage_type, service_tier, batch, provider) AS place"
        " FROM metering_sku AS sku JOIN metering_model AS model ON model.id = sku.model_id",
        Source.PURPOSE: f"organization_id, id FROM ({PURPOSES}) AS purpose",
    }
    return {source: f"SELECT {cells_sql(form, columns, source)}, {rest}" for source, rest in tables.items()}
