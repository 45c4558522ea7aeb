"""Money and quantities as people read them."""

from decimal import ROUND_HALF_EVEN, Decimal

from billing.line_items import UNITS
from billing.models import LineItem
from billing.money import CENT
from metering.display import axis, byte_size, compact, exact


def dollars(amount: Decimal | int) -> str:
    """'$1,234.56', half even; what is below a cent but not nothing reads '<$0.01'."""
    amount = Decimal(amount)
    if 0 < abs(amount) < CENT:
        return "<$0.01" if amount > 0 else "−<$0.01"
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount).quantize(CENT, ROUND_HALF_EVEN):,}"


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


def quantity(amount: Decimal, line_item: LineItem) -> str:
    """'128M tokens', '36 hours' …: how much of what was used."""
    if line_item == LineItem.SECOND and abs(amount) >= 3600:
        return f"{Decimal(amount) / 3600:,.1f} h audio"
    if line_item == LineItem.BYTE_DAY:
        return f"{byte_size(amount)}-days"
    number = compact(amount) if abs(amount) >= 1_000_000 else exact(amount)
    unit = UNITS[line_item]
    return f"{number} {unit[:-1] if amount == 1 else unit}"
