"""Numbers and nouns in a sentence: '1 request', '1,873 requests', 'an admin'."""

from decimal import Decimal
from typing import Final

IRREGULAR: Final = {"person": "people", "search": "searches"}


def plural(noun: str, number: int | Decimal) -> str:
    """'API key', 2 → 'API keys'; the first letter small unless it is an acronym."""
    word = noun if noun[:2].isupper() else noun[:1].lower() + noun[1:]
    return word if abs(number) == 1 else IRREGULAR.get(word, f"{word}s")


def counted(number: int | Decimal, noun: str) -> str:
    """1873, 'request' → '1,873 requests'."""
    return f"{number:,} {plural(noun, number)}".replace("-", "−")


def with_article(noun: str) -> str:
    """'admin' → 'an admin'."""
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"
