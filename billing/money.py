"""Money is exact to 10⁻¹² dollar until it is rounded once, half even, to the cent: on a line of an invoice."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

CENT: Final = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """The amount in whole cents; exactly half a cent goes to the even one."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def to_cents_sql(amount: str) -> str:
    """The same for an SQL expression. PostgreSQL rounds half away from zero, which is one too far where it meets an odd cent."""
    return f"(round({amount}, 2) - CASE WHEN abs({amount}) * 100 %% 2 = 0.5 THEN sign({amount}) * 0.01 ELSE 0 END)"
