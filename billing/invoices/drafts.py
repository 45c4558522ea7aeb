"""Which drafts are not what they would be now: in the days of grace only those are made anew.

A draft is a function of the payer's costs, documents, grants, balance, details and terms. One statement reads a version of
all that for every payer, before any draft is made: what is committed later has another version, and is seen the next time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.installation import time_limits
from accounts.periods import Period
from billing.changes.kept import MadeDraft
from billing.invoices.invoices import seller

# A safety net, for what is changed behind the product's back.
MADE_ANEW_AFTER: Final = timedelta(days=1)
PART: Final = "SELECT {payer}, concat_ws('|', '{table}', {columns}) FROM {table} WHERE {payer} = ANY (%(payers)s)"
TABLES: Final = (
    ("accounts_organization", "id", "name"),
    ("billing_billingdetails", "organization_id", "billing_billingdetails.*"),
    ("billing_creditgrant", "organization_id", "billing_creditgrant.*"),
    ("billing_balancerefund", "payer_id", "id"),
)
# Final documents never change; a draft that becomes one, or a credit note, is another row of those that are final.
VERSIONS_SQL: Final = f"""
WITH paid AS (
    SELECT payer_id, organization_id, first_month,
        lead(first_month, 1, 'infinity') OVER (PARTITION BY organization_id ORDER BY first_month) AS end_month
    FROM billing_payersince
    UNION ALL
    SELECT coalesce(parent_id, id), id, '-infinity', 'infinity' FROM accounts_organization AS organization
    WHERE NOT EXISTS (SELECT FROM billing_payersince AS since WHERE since.organization_id = organization.id)
),
part (payer_id, text) AS (
    SELECT payer_id, concat_ws('|', 'pays', organization_id, first_month, least(end_month, %(end)s), change.number)
    FROM paid LEFT JOIN billing_costchange AS change USING (organization_id)
    WHERE first_month < %(end)s AND payer_id = ANY (%(payers)s)
    UNION ALL
    SELECT payer_id, concat_ws('|', 'final', id) FROM billing_invoice
    WHERE state <> 'draft' AND payer_id = ANY (%(payers)s)
    UNION ALL
    {" UNION ALL ".join(PART.format(table=table, payer=payer, columns=columns) for table, payer, columns in TABLES)}
)
SELECT payer_id, md5(concat(%(terms)s, string_agg(text, E'\\n' ORDER BY text))) FROM part GROUP BY payer_id
"""
REMEMBER_SQL: Final = """
INSERT INTO billing_madedraft (payer_id, month, version, made_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (payer_id, month) DO UPDATE SET version = excluded.version, made_at = excluded.made_at
"""
KNOWN_SQL: Final = """
SELECT payer_id, version FROM billing_madedraft WHERE month = %(month)s AND made_at > clock_timestamp() - %(age)s
"""


def changed(payer_ids: Sequence[int], month: Period, *, among_all: bool = False) -> dict[int, str]:
    """The payers whose month has no draft of what it would be made from now, in their order, with what that is.

    With `among_all` those are named too whose draft is as it would be.
    """
    known = {} if among_all else _fetch(KNOWN_SQL, {"month": month.start, "age": MADE_ANEW_AFTER})
    now = _fetch(VERSIONS_SQL, {"payers": list(payer_ids), "end": month.end, "terms": _terms()})
    return {payer_id: now[payer_id] for payer_id in payer_ids if known.get(payer_id) != now[payer_id]}


def remember(payer_id: int, month: Period, version: str) -> None:
    """The payer's month is drafted from that, or, where it is empty, from what nobody asked. To be called in the transaction that
    drafts it.
    """
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER_SQL, [payer_id, month.start, version])


def forget(month: Period) -> None:
    """The month is final: there are no drafts to compare any more."""
    MadeDraft.objects.filter(month=month.start).delete()


def _terms() -> str:
    """What the settings say on every draft."""
    said = (*astuple(seller()), settings.INVOICE_TAX_NAME, settings.INVOICE_TAX_RATE)
    return hashlib.md5(repr(said).encode(), usedforsecurity=False).hexdigest()


def _fetch(sql: str, parameters: Mapping[str, Any]) -> dict[int, str]:
    with transaction.atomic(), connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute(sql, parameters)
        return dict(cursor.fetchall())
