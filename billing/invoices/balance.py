"""A payer's balance: what is in their favour beyond their documents, carried to the next invoice or paid back.

It grows by invoices below zero (corrections that are larger than the usage) and by paid invoices that are voided. Below
zero it is owed, with the next invoice: a void invoice had given what a later one has used up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db import connection, transaction

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.installation import time_limits
from accounts.models import Organization
from billing.display import dollars
from billing.invoices.credits import ZERO
from billing.money import CENT
from billing.refunds import BalanceRefund

LOCK: Final = 0x5553_4147
"""The first half of an advisory lock's key, as `billing_refund_is_covered` in the database has it; the second is the payer."""
BALANCES_SQL: Final = """
SELECT payer_id, sum(change) FROM (
    SELECT payer_id, balance_change AS change FROM billing_invoice WHERE state <> 'draft' AND balance_change <> 0
    UNION ALL SELECT payer_id, -amount FROM billing_balancerefund
) AS entry
WHERE %(payers)s::bigint[] IS NULL OR payer_id = ANY(%(payers)s)
GROUP BY payer_id HAVING sum(change) <> 0
"""
PAYERS_SQL: Final = f"""
SELECT organization.id FROM ({BALANCES_SQL}) AS balance
JOIN accounts_organization AS organization ON organization.id = balance.payer_id
ORDER BY organization.name, organization.id
"""


class RefundRefusedError(ValueError):
    """A refund that cannot be made; the message says why."""


@dataclass(frozen=True)
class Balance:
    """Dollars in a payer's favour; below zero, owed with the next invoice."""

    payer: Organization
    amount: Decimal


def lock(payer_id: int) -> None:
    """Alone with the payer's documents and balance until the transaction ends."""
    with connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [LOCK, payer_id])


def balance_of(payer_id: int) -> Decimal:
    """What is in the payer's favour by all final documents and refunds."""
    return balances_of([payer_id]).get(payer_id, ZERO)


def balances_of(payer_ids: Sequence[int]) -> dict[int, Decimal]:
    """The balance of each of these payers that has any."""
    with connection.cursor() as cursor:
        cursor.execute(BALANCES_SQL, {"payers": list(payer_ids)})
        return dict(cursor.fetchall())


def payers_with_balance() -> list[int]:
    """Every payer whose balance is not nothing, by name."""
    with connection.cursor() as cursor:
        cursor.execute(PAYERS_SQL, {"payers": None})
        return [payer_id for (payer_id,) in cursor.fetchall()]


def named_balances(payer_ids: Sequence[int]) -> list[Balance]:
    """The balances of these payers, in their order. Two queries."""
    found, payers = balances_of(payer_ids), Organization.objects.in_bulk(payer_ids)
    return [Balance(payers[payer_id], found[payer_id]) for payer_id in payer_ids if payer_id in found]


def settle(total: Decimal, balance: Decimal) -> tuple[Decimal, Decimal]:
    """(what an invoice over `total` changes the balance by, what is due then). The whole balance is used, and never more."""
    due = max(ZERO, total - balance)
    return due - total, due


def refund(payer: Organization, amount: Decimal, *, actor: Actor, reference: str = "") -> BalanceRefund:
    """So much of the balance was paid back. Asked again with the same reference it is the same refund.

    Raises RefundRefusedError.
    """
    if not amount.is_finite() or amount <= 0 or amount % CENT:
        raise RefundRefusedError("A refund must be more than zero, in whole cents.")
    with transaction.atomic():
        lock(payer.pk)
        if reference and (known := BalanceRefund.objects.filter(payer=payer, reference=reference).first()):
            if known.amount != amount:
                raise RefundRefusedError(f"The refund {reference} was {dollars(known.amount)}.")
            return known
        if amount > (balance := balance_of(payer.pk)):
            raise RefundRefusedError(f"The balance of {payer} is {dollars(balance)}: less than {dollars(amount)}.")
        made = BalanceRefund.objects.create(payer=payer, amount=amount, reference=reference, refunded_by=actor.user)
        _record(made, actor)
    return made


def _record(made: BalanceRefund, actor: Actor) -> None:
    audit.record(
        "balance.refunded",
        actor=actor,
        organization=made.payer,
        target_id=str(made.pk),
        target_name=made.payer.name,
        details={"amount": str(made.amount), "reference": made.reference},
    )
