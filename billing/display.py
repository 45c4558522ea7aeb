"""Money and quantities as people read them."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from accounts.pages.words import counted
from billing.line_items import UNITS, UNITS_OF_A_PRICE
from billing.models import LineItem
from billing.money import CENT
from metering.display import axis, byte_size, compact, duration

LONGEST_EXACT: Final = 10_000


def dollars(amount: Decimal | int) -> str:
    """'$1,234.56', half even; what is below a cent but not nothing reads '<$0.01'."""
    amount = Decimal(amount)
    if 0 < abs(amount) < CENT:
        return "<$0.01" if amount > 0 else "−<$0.01"
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount).quantize(CENT, ROUND_HALF_EVEN):,}"


def small_dollars(amount: Decimal) -> str:
    """As `dollars`; below a dollar with three digits that say something: '$0.00312'."""
    if not 0 < abs(amount) < 1:
        return dollars(amount)
    digits = abs(amount).quantize(Decimal(1).scaleb(abs(amount).adjusted() - 2), ROUND_HALF_EVEN)
    return exact_dollars(digits.copy_sign(amount))


def exact_dollars(amount: Decimal | int) -> str:
    """All digits that there are, at least cents: '$0.0036751'."""
    amount = Decimal(amount)
    digits = f"{abs(amount):,f}"
    whole, _, fraction = digits.partition(".")
    return f"{'−' if amount < 0 else ''}${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def axis_dollars(amount: Decimal | int) -> str:
    """'$60', '$1.5k' or '$0.002', as short as it can be said."""
    amount = Decimal(amount)
    sign = "−" if amount < 0 else ""
    if abs(amount) >= 10_000:
        return f"{sign}${axis(abs(amount))}"
    text = f"{abs(amount):,f}"
    return f"{sign}${text.rstrip('0').rstrip('.') if '.' in text else text}"


def usual_unit(line_item: LineItem) -> str:
    """'1M tokens' or 'session': what prices of this part are said for."""
    return UNITS[line_item][:-1] if UNITS_OF_A_PRICE[line_item] == 1 else f"1M {UNITS[line_item]}"


def per_unit(unit_price: Decimal, line_item: LineItem) -> str:
    """'$2.50 per 1M tokens', '$0.03 per session'."""
    return f"{exact_dollars(unit_price * UNITS_OF_A_PRICE[line_item])} per {usual_unit(line_item)}"


def quantity(amount: Decimal, line_item: LineItem) -> str:
    """'128M tokens', '207k tokens', '36.0 hours' …: how much of what was used, in the same short form in every row."""
    if line_item == LineItem.SECOND:
        return duration(amount)
    if line_item == LineItem.BYTE_DAY:
        return f"{byte_size(amount)}-days"
    if abs(amount) < LONGEST_EXACT:
        return exact_quantity(amount, line_item)
    return f"{compact(amount)} {UNITS[line_item]}"


def exact_quantity(amount: Decimal, line_item: LineItem) -> str:
    """'128,401,002 tokens', '1 session': all digits that there are."""
    return counted(amount, UNITS[line_item].removesuffix("s"))
