"""How far a budget is spent: the one rule that pages, alerts and the refusal of keys go by. Pure."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WHOLE: Final = 100


@dataclass(frozen=True)
class BudgetStatus:
    """What a month has cost so far, and what it is meant to cost at most, in dollars."""

    spent: Decimal
    budget: Decimal

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 is said when all is spent and not before; below zero after corrections."""
        return math.floor(self.spent * WHOLE / self.budget)

    @property
    def share(self) -> str:
        """'42%'."""
        return f"{self.percent:,}%".replace("-", "−")

    @property
    def bar(self) -> int:
        """The width of a bar, of 100."""
        return max(0, min(self.percent, WHOLE))

    @property
    def is_spent(self) -> bool:
        return self.has_reached(WHOLE)

    def has_reached(self, threshold: int) -> bool:
        """Whether so many percent are spent."""
        return self.spent * WHOLE >= self.budget * threshold

    def is_expected_over(self, expected: Decimal) -> bool:
        """Whether a month that is expected to cost so much ends above a budget that is not spent yet."""
        return self.spent < self.budget < expected
