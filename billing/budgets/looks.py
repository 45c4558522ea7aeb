"""Which budgets are to be looked at: those whose organization's costs of the month changed, noted with the change.

Whoever rates usage writes a note in the same transaction where there are budgets, looks when it is committed, and removes the
note. Notes that are left, of a process that died or of a child that came, are taken within a minute. So nobody has to look at all
budgets each time. A budget that is set while usage is being rated is seen by the look after the commit.
"""

from typing import Any, Final

from billing.alerts import Budget
from billing.budgets.checks import BUDGET, TASK, check
from billing.changes.kept import BudgetLook
from metering import isolation
from metering.models import FailedItem

# Days before this month count against no budget of now. Each organization is looked up by key: the work grows with what was
# touched, not with the organizations or budgets that there are.
NOTE_SQL: Final = """
WITH touched AS MATERIALIZED (
    SELECT DISTINCT organization_id FROM {touched}
    WHERE day >= date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date
), noted AS (
    INSERT INTO billing_budgetlook (organization_ids)
    SELECT array_agg(member.id)
    FROM touched
    CROSS JOIN LATERAL (
        SELECT id, parent_id FROM accounts_organization WHERE id = touched.organization_id OFFSET 0
    ) AS member
    WHERE (
        SELECT true FROM billing_budget AS budget WHERE budget.organization_id IN (member.id, member.parent_id) LIMIT 1
    )
    HAVING count(*) > 0
    RETURNING id
)
SELECT (SELECT id FROM noted), (SELECT array_agg(organization_id) FROM touched)
"""


def note(cursor: Any, touched: str) -> BudgetLook | None:
    """The look at the budgets that the costs of these rows count against, their organizations' own or their payers'; None if
    no costs of this month are among them. `touched` is a table with organization_id and day.

    It is stored, to outlive this process, if there is such a budget now.
    """
    cursor.execute(NOTE_SQL.format(touched=touched))
    look_id, organization_ids = cursor.fetchone()
    return BudgetLook(look_id, organization_ids) if organization_ids else None


def take(look: BudgetLook | None) -> None:
    """Look, after the commit of what it was noted with."""
    if look is not None:
        check(look.organization_ids)
        if look.pk is not None:
            look.delete()


def take_all() -> int:
    """Take every look that is left, and look again at what could not be told; returns how many alerts there were."""
    looks = list(BudgetLook.objects.all())
    concerned = {found for look in looks for found in look.organization_ids} | _failed()
    num_alerts = check(concerned) if concerned else 0
    BudgetLook.objects.filter(pk__in=[look.pk for look in looks]).delete()
    return num_alerts


def _failed() -> set[int]:
    """The organizations of budgets on which it failed, whether or not their next attempt is due; what is gone is forgotten."""
    failed = FailedItem.objects.filter(task=TASK).values_list("item", flat=True)
    budgets = {int(item.removeprefix(BUDGET)) for item in failed}
    if not budgets:
        return set()
    there = dict(Budget.objects.filter(pk__in=budgets).values_list("pk", "organization_id"))
    for gone in budgets - there.keys():
        isolation.forget(TASK, f"{BUDGET}{gone}")
    return set(there.values())
