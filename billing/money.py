"""Money is exact to 10⁻¹² dollar until it is rounded once, half even, to the cent: on a line of an invoice.

Widths: a measure of a day has up to 38 digits. The quantities that are made and summed of them get eight more; times a
price, 12 digits before the point, that is 58 before the point of a cost, and of the cents that are billed for it. Python
counts with more digits than any of them.
"""

import decimal
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
QUANTITY_DIGITS: Final = 46
EXACT_DIGITS: Final = 58 + 12
BILLED_DIGITS: Final = 58 + 2
PYTHON_DIGITS: Final = 100


def keep_all_digits() -> None:
    """Let this thread, and every one that starts later, count with enough digits for the widest sums: 28 round or refuse them."""
    decimal.DefaultContext.prec = PYTHON_DIGITS
    decimal.getcontext().prec = PYTHON_DIGITS


def to_cents(amount: Decimal) -> Decimal:
    """The amount in whole cents; exactly half a cent goes to the even one."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def to_cents_sql(amount: str) -> str:
    """The same for an SQL expression. PostgreSQL rounds half away from zero, which is one too far where it meets an odd cent."""
    return f"(round({amount}, 2) - CASE WHEN abs({amount}) * 100 %% 2 = 0.5 THEN sign({amount}) * 0.01 ELSE 0 END)"
