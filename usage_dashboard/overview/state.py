"""The state of the installation for staff's pages: what `manage.py doctor` finds, by what it is about.

An examination asks programs and addresses that may be slow to answer, so what it found is kept for a few seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.core.cache import cache

from usage_dashboard.doctor import facts, programs, stores, surroundings, work
from usage_dashboard.doctor.examination import examine
from usage_dashboard.doctor.findings import Check, Weight

KEPT_SECONDS: Final = 15
KEY: Final = "state-of-the-installation"
AREAS: Final[dict[str, tuple[Check, ...]]] = {
    "Programs": (programs.workers, stores.redis, facts.waiting),
    "Counting": (work.readings, work.partitions, work.failed_items),
    "Database": (stores.database, stores.tuning, stores.migrations, stores.cluster, stores.clocks, facts.sizes),
    "Money": (work.prices, surroundings.seller, surroundings.paper_logo),
    "Safety": (work.backups, surroundings.staff, surroundings.secret_key, surroundings.stored_secrets),
    "Surroundings": (surroundings.address, surroundings.mail, surroundings.disk, facts.versions),
}
PAGES: Final[dict[Check, tuple[str, str]]] = {
    work.readings: ("billing:ingestion", "Ingestion"),
    work.failed_items: ("admin:metering_faileditem_changelist", "Failed items"),
    work.prices: ("billing:unpriced", "Usage without a price"),
    surroundings.staff: ("accounts:users", "Users"),
}
"""Where staff looks after what a check is about."""
WORDS: Final = {Weight.FINE: "Healthy", Weight.NOTE: "Attention", Weight.WRONG: "Bad"}
ORDER: Final = (Weight.WRONG, Weight.NOTE, Weight.FINE)


@dataclass(frozen=True)
class Line:
    """One finding, in words; `page` and `label` lead to where it is looked after, empty for what is no page's matter."""

    check: str
    weight: Weight
    sentence: str
    remedy: str
    page: str = ""
    label: str = ""

    @property
    def word(self) -> str:
        return WORDS[self.weight]


@dataclass(frozen=True)
class Area:
    """Findings about one thing, the worst first."""

    title: str
    lines: tuple[Line, ...]

    @property
    def weight(self) -> Weight:
        return worst(self.lines)

    @property
    def word(self) -> str:
        return WORDS[self.weight]


@dataclass(frozen=True)
class State:
    """What was found at `looked_at`."""

    looked_at: datetime
    lines: tuple[Line, ...]

    @property
    def weight(self) -> Weight:
        return worst(self.lines)

    @property
    def word(self) -> str:
        return WORDS[self.weight]

    @property
    def areas(self) -> tuple[Area, ...]:
        """By what they are about; what belongs nowhere, such as a database that does not answer, comes first."""
        placed = {_name(check): title for title, checks in AREAS.items() for check in checks}
        found: dict[str, list[Line]] = {"": [], **{title: [] for title in AREAS}}
        for line in sorted(self.lines, key=lambda line: ORDER.index(line.weight)):
            found[placed.get(line.check, "")].append(line)
        return tuple(Area(title or "First of all", tuple(lines)) for title, lines in found.items() if lines)

    def is_fine(self, check: Check) -> bool:
        """Whether the check found nothing to mend and nothing to note."""
        return all(line.weight is Weight.FINE for line in self.lines if line.check == _name(check))

    def num(self, weight: Weight) -> int:
        return sum(line.weight is weight for line in self.lines)

    @property
    def num_bad(self) -> int:
        return self.num(Weight.WRONG)

    @property
    def num_attention(self) -> int:
        return self.num(Weight.NOTE)


def worst(lines: tuple[Line, ...]) -> Weight:
    return min((line.weight for line in lines), key=ORDER.index, default=Weight.FINE)


def state(*, anew: bool = False) -> State:
    """What the checks found within the last KEPT_SECONDS, or find now."""
    kept: Any = None if anew else cache.get(KEY)
    if kept is None:
        found = [(_name(check), each.weight, each.sentence, each.remedy) for check, each in examine(more=facts.ALL)]
        kept = {"at": datetime.now(UTC).timestamp(), "found": found}
        cache.set(KEY, kept, timeout=KEPT_SECONDS)
    return State(datetime.fromtimestamp(kept["at"], UTC), tuple(_line(*each) for each in kept["found"]))


def _line(check: str, weight: str, sentence: str, remedy: str) -> Line:
    page, label = next((found for each, found in PAGES.items() if _name(each) == check), ("", ""))
    return Line(check, Weight(weight), sentence, remedy, page, label)


def _name(check: Check) -> str:
    return f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
