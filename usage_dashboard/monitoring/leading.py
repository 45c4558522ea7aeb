"""What the organizations that cost most cost and used this UTC month, measured now and then, so that no scrape waits for it."""

from datetime import date
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.clock import database_now
from accounts.installation import time_limits
from accounts.periods import month_of
from usage_dashboard.models import LeadingOrganization
from usage_dashboard.monitoring.timings import is_measured

OTHERS: Final = "(other)"
"""All others together. No organization's address has parentheses, so that none is taken for it."""

# Organization by organization (OFFSET keeps the order of the joins): the work grows with the month, not with what is stored.
MONTH_SQL: Final = """
WITH month AS MATERIALIZED (
    SELECT organization.id, organization.slug, cost.amount AS cost, used.tokens,
        row_number() OVER (ORDER BY cost.amount DESC, used.tokens DESC, organization.id) AS place
    FROM accounts_organization AS organization
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount), 0) AS amount FROM billing_dailycost
        WHERE organization_id = organization.id AND day >= %(start)s AND day < %(end)s OFFSET 0
    ) AS cost
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(input_tokens + output_tokens), 0) AS tokens FROM metering_organizationdailyusage
        WHERE organization_id = organization.id AND day >= %(start)s AND day < %(end)s OFFSET 0
    ) AS used
    WHERE cost.amount <> 0 OR used.tokens <> 0
)
SELECT CASE WHEN place <= %(most)s THEN slug ELSE %(others)s END AS name, sum(cost), sum(tokens)
FROM month GROUP BY 1 ORDER BY min(place)
"""


def measure() -> int:
    """Measure this month anew; returns the number of rows. Safe to run at any time; nothing where nobody asks for it."""
    if not (is_measured() and settings.METRICS_ORGANIZATIONS):
        return 0
    now = database_now()
    month = month_of(now.date())
    with transaction.atomic(), connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute(
            MONTH_SQL,
            {"start": month.start, "end": month.end, "most": settings.METRICS_ORGANIZATIONS, "others": OTHERS},
        )
        found = [
            LeadingOrganization(name=name, month=month.start, cost=cost, tokens=tokens, measured_at=now)
            for name, cost, tokens in cursor.fetchall()
        ]
        cursor.execute(
            "LOCK TABLE usage_dashboard_leadingorganization IN EXCLUSIVE MODE"
        )  # of two runs the last one holds
        LeadingOrganization.objects.all().delete()
        LeadingOrganization.objects.bulk_create(found)
    return len(found)


def leading(month: date) -> list[LeadingOrganization]:
    """The rows of a month, those that cost most first."""
    return list(LeadingOrganization.objects.filter(month=month).order_by("-cost", "name"))
