"""Which budgets are to be looked at: those whose organization's costs of the month changed, noted with the change.

Whoever rates usage writes a note in the same transaction, looks when it is committed, and removes the note. What is left of a
process that died is looked at within a minute. So nobody has to look at all budgets each time, and none is missed.
"""

from typing import Any, Final

from billing.alerts import Budget
from billing.budgets.checks import BUDGET, TASK, check
from billing.changes.kept import BudgetLook
from metering.models import FailedItem

# Days before this month count against no budget of now. Each organization is looked up by key: the work grows with what was
# touched, not with the organizations or budgets that there are.
NOTE_SQL: Final = """
INSERT INTO billing_budgetlook (organization_ids)
SELECT array_agg(member.id)
FROM (
    SELECT DISTINCT organization_id FROM {touched}
    WHERE day >= date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date
) AS touched
CROSS JOIN LATERAL (
    SELECT id, parent_id FROM accounts_organization WHERE id = touched.organization_id OFFSET 0
) AS member
WHERE (
    SELECT true FROM billing_budget AS budget WHERE budget.organization_id IN (member.id, member.parent_id) LIMIT 1
)
HAVING count(*) > 0
RETURNING id, organization_ids
"""


def note(cursor: Any, touched: str) -> BudgetLook | None:
    """The look at the budgets that the costs of these rows count against, their organizations' own or their payers'; None if
    there are none. `touched` is a table with organization_id and day.
    """
    cursor.execute(NOTE_SQL.format(touched=touched))
    found = cursor.fetchone()
    return BudgetLook(*found) if found else None


def take(look: BudgetLook | None) -> None:
    """Look, after the commit of what it was noted with."""
    if look is not None:
        check(look.organization_ids)
        look.delete()


def take_all() -> int:
    """Take every look that is left, and look again at what could not be told; returns how many alerts there were."""
    looks = list(BudgetLook.objects.all())
    concerned = {found for look in looks for found in look.organization_ids} | _failed()
    num_alerts = check(concerned) if concerned else 0
    BudgetLook.objects.filter(pk__in=[look.pk for look in looks]).delete()
    return num_alerts


def _failed() -> set[int]:
    """The organizations of budgets on which it failed, whether or not their next attempt is due."""
    failed = FailedItem.objects.filter(task=TASK).values_list("item", flat=True)
    budgets = [int(item.removeprefix(BUDGET)) for item in failed]
    return set(Budget.objects.filter(pk__in=budgets).values_list("organization_id", flat=True)) if budgets else set()
