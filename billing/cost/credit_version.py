"""What is left of credit on the Cost page hangs on all costs since the first grant, not on two months alone."""

from typing import Final

# Touched rows as in `page_version`, of all that the organizations pay for or once paid for, from the first grant's month to the
# month shown. Where no grant is in force in that month none is shown, and nothing is read. Organizations in an array are found
# by the key of their costs, whatever others cost on these days.
CREDIT_VERSION: Final = """
    SELECT concat_ws(':', count(*), sum(cost.xmin::text::bigint), (
        SELECT concat(count(*), ':', sum(since.xmin::text::bigint)) FROM billing_payersince AS since
        WHERE since.organization_id IN (SELECT organization_id FROM billing_payersince WHERE payer_id = ANY(%(ids)s))
    ))
    FROM billing_dailycost AS cost, span
    WHERE cost.organization_id = ANY(%(ids)s::bigint[] || ARRAY(
        SELECT organization_id FROM billing_payersince WHERE payer_id = ANY(%(ids)s)
    ))
    AND cost.day < span.month + interval '1 month'
    AND cost.day >= (
        SELECT date_trunc('month', min(given.effective_at) AT TIME ZONE 'UTC')::date
        FROM billing_creditgrant AS given, span WHERE given.organization_id = ANY(%(ids)s)
        HAVING bool_or(coalesce(least(given.expires_at, given.voided_at), 'infinity') > span.month::timestamp AT TIME ZONE 'UTC')
    )
"""
