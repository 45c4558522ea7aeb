"""The FOCUS cost and usage file: usage rows, day after day, and then the entries of documents. One statement, one snapshot.

Usage without a price is not in it: nothing is charged for it until it has one, and FOCUS knows no usage without a price.
"""

from typing import Final

from django.db import connection

from billing.payer_history import OWNED_SQL
from exports.columns import Format, Statement
from exports.focus import entries, usage
from exports.focus.scope import Scope

UNPRICED_SQL: Final = f"""
WITH owned AS ({OWNED_SQL})
SELECT count(DISTINCT (sku.model_id, cost.line_item))
FROM owned
JOIN billing_dailycost AS cost ON cost.organization_id = owned.organization_id
    AND cost.day >= owned.first_month AND cost.day < owned.end_month
JOIN metering_sku AS sku ON sku.id = cost.sku_id
WHERE cost.unit_price IS NULL AND cost.quantity <> 0 AND cost.day >= %(first_day)s AND cost.day < %(end_day)s
"""


def cost_statement(scope: Scope, form: Format) -> Statement:
    """The SQL of the lines."""
    query = scope.usage()
    sql = f"""
        WITH {usage.WITH_SQL}, {usage.sources_sql(form)}, {entries.WITH_SQL}
        SELECT line FROM ({usage.usage_sql(query, form)}) AS used
        UNION ALL
        SELECT line FROM ({entries.entries_sql(form)}) AS entered
    """
    return sql, {**query.parameters(), **scope.parameters()}


def num_unpriced(scope: Scope) -> int:
    """How many models' line items have usage in the range that is left out because it has no price."""
    with connection.cursor() as cursor:
        cursor.execute(UNPRICED_SQL, scope.parameters())
        ((number,),) = cursor.fetchall()
    return int(number)
