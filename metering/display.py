"""Numbers and days as people read them."""

import re
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

from accounts.pages.words import counted

SUFFIXES: Final = ((10**15, "Q"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
HOUR_SECONDS: Final = 3600
MINUTE_SECONDS: Final = 60
BYTE_SUFFIXES: Final = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def exact(number: int | Decimal) -> str:
    """1234567 → '1,234,567'."""
    return f"{number:,}".replace("-", "−")


def compact(number: int | Decimal) -> str:
    """1234567 → '1.23M': three significant digits, never rounded up into the next suffix."""
    return _scaled(Decimal(number), SUFFIXES) or exact(number)


def axis(number: int | Decimal) -> str:
    """The compact number without needless zeros: '75k', '1.5M'."""
    return _trimmed(compact(number))


def duration_axis(seconds: int | Decimal) -> str:
    """'30 h', '10 min' or '20 s', in the unit of the number, and a bare 0."""
    base = duration_base(seconds)
    if not seconds or base == 1:
        return f"{exact(seconds)} s" if seconds else "0"
    return f"{_trimmed(f'{Decimal(seconds) / base:,.1f}')} {'h' if base == HOUR_SECONDS else 'min'}".replace("-", "−")


def duration_base(seconds: int | Decimal) -> int:
    """The seconds of the unit that a duration so long is told in."""
    size = max(seconds, -seconds)
    if size >= HOUR_SECONDS:
        return HOUR_SECONDS
    return MINUTE_SECONDS if size >= MINUTE_SECONDS else 1


def byte_axis(number: int | Decimal) -> str:
    """'1.5 GB', and a bare 0."""
    return _trimmed(byte_size(number)) if number else "0"


def byte_size(number: int | Decimal) -> str:
    """1500000 → '1.50 MB' (decimal units)."""
    return _scaled(Decimal(number), BYTE_SUFFIXES, " ") or f"{exact(number)} B"


def duration(seconds: int | Decimal) -> str:
    """121000 → '33.6 hours'; below an hour minutes, below a minute seconds."""
    size = max(seconds, -seconds)
    if size >= HOUR_SECONDS:
        return f"{Decimal(seconds) / 3600:,.1f} hours".replace("-", "−")
    if size >= MINUTE_SECONDS:
        return f"{Decimal(seconds) / 60:,.1f} minutes".replace("-", "−")
    return counted(seconds, "second")


def share(part: Decimal | int, whole: Decimal | int) -> str:
    """'42.5%' of the whole; a dash where the whole is nothing."""
    return f"{Decimal(part) * 100 / Decimal(whole):.1f}%".replace("-", "−") if whole else "–"


def change(number: Decimal | int, compared: Decimal | int) -> str:
    """'+8.2%' against the compared number; nothing where that is not above zero."""
    if compared <= 0:
        return ""
    percent = (Decimal(number) - Decimal(compared)) * 100 / Decimal(compared)
    return f"{percent:+,.1f}%".replace("-", "−")


def short_day(day: date) -> str:
    """'Nov 4'."""
    return f"{day:%b} {day.day}"


def long_day(day: date) -> str:
    """'Nov 4, 2026'."""
    return f"{day:%b} {day.day}, {day.year}"


def _trimmed(text: str) -> str:
    """'1.50 GB' → '1.5 GB', '75.0k' → '75k'."""
    return re.sub(r"\.?0+(?=\D*$)", "", text) if "." in text else text


def _scaled(number: Decimal, suffixes: tuple[tuple[int, str], ...], space: str = "") -> str:
    for size, suffix in suffixes:
        if abs(number) >= size:
            scaled = number / size
            decimals = Decimal(1).scaleb(-max(0, 3 - len(str(abs(int(scaled))))))
            rounded = scaled.quantize(decimals, ROUND_HALF_EVEN if abs(scaled) < 999 else ROUND_DOWN)
            return f"{rounded:,}{space}{suffix}".replace("-", "−")
    return ""
