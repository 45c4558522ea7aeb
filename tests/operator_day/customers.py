"""The customers of the day: who they are, what they pay, and what they used. The same for the same size and month."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

ITEMS: Final = ("input", "cached input", "output")
MILLION: Final = 1_000_000
# Dollars for a million tokens, as the vendor lists them for everybody.
LIST: Final = {
    "gpt-4o": dict(zip(ITEMS, map(Decimal, ("2.50", "1.25", "10.00")), strict=True)),
    "gpt-4o-mini": dict(zip(ITEMS, map(Decimal, ("0.15", "0.075", "0.60")), strict=True)),
}
OWN_MODEL: Final = "gpt-4o"
NUM_PRICED, NUM_CHILDREN, TAXED_EVERY = 10, 5, 3
FIRST_DAY_OF_USAGE, DAY_OF_NEW_PRICE = 10, 20  # of the month before; events are taken from 60 days back
BEFORE_OF_EIGHT: Final = 5
TAX_RATE: Final = Decimal("0.19")
SCOPES: Final = ("costs", "invoices")  # of admin keys
Line = dict[str, Any]


class Size(NamedTuple):
    """How many of each there are."""

    organizations: int
    users: int
    keys: int
    events_per_key: int


FULL: Final = Size(200, 2_000, 5_000, 8)
SMALL: Final = Size(20, 100, 200, 8)


class Event(NamedTuple):
    """A request that a customer's key made."""

    id: str
    key: int
    at: datetime
    model: str
    tokens: tuple[int, int, int]  # in the order of ITEMS; each token in one of them


@dataclass(frozen=True)
class Customers:
    """Organizations, users and keys go by their number; users and keys are spread evenly."""

    size: Size
    now: datetime

    @property
    def month(self) -> datetime:
        """The beginning of this month."""
        return self.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    @property
    def month_before(self) -> datetime:
        return (self.month - timedelta(days=1)).replace(day=1)

    def organization_of_key(self, key: int) -> int:
        return key % self.size.users % self.size.organizations

    def payer(self, organization: int) -> int:
        """The last organizations are children of the first ones, which have prices of their own."""
        place = organization - (self.size.organizations - NUM_CHILDREN)
        return place if place >= 0 else organization

    def family(self, payer: int) -> list[int]:
        """The organizations for which it pays."""
        return [organization for organization in range(self.size.organizations) if self.payer(organization) == payer]

    def tax_rate(self, organization: int) -> Decimal:
        return Decimal(0) if organization % TAXED_EVERY else TAX_RATE

    def own_prices(self, organization: int) -> list[tuple[datetime, str, Decimal]]:
        """(from when on, item, dollars for a million tokens): they change in the middle of the month before."""
        if organization >= NUM_PRICED:
            return []
        later = self.month_before.replace(day=DAY_OF_NEW_PRICE)
        share = Decimal(91 - organization) / 100
        return [
            (start, item, price * share * factor)
            for start, factor in ((self.month_before, Decimal(1)), (later, Decimal("0.87")))
            for item, price in LIST[OWN_MODEL].items()
        ]

    def lines(self) -> Iterator[Line]:
        """All of them, as lines of the provisioning API."""
        for number in range(self.size.organizations):
            yield self._organization(number)
            yield _line("admin_keys", number, organization=f"cust-{number}", name="Read", scopes=SCOPES)
        for user in range(self.size.users):
            role = "owner" if user < self.size.organizations else "reader"
            place = f"cust-{user % self.size.organizations}"
            yield _line("users", user, email=f"user-{user}@day.example", name=f"Person {user}")
            yield _line("memberships", user, user=f"users-{user}", organization=place, role=role)
        for key in range(self.size.keys):
            created_at = _text(self.month_before)
            digest = hashlib.sha256(f"sk-of-the-operator-{key}".encode()).hexdigest()
            owner = f"users-{key % self.size.users}"
            yield _line("api_keys", key, user=owner, name=f"Key {key}", digest=digest, created_at=created_at)

    def events(self) -> Iterator[Event]:
        """Of each key, most in the month before and some in this one."""
        dice = random.Random(18)
        first = self.month_before.replace(day=FIRST_DAY_OF_USAGE)
        for key in range(self.size.keys):
            for number in range(self.size.events_per_key):
                is_before = number % 8 < BEFORE_OF_EIGHT
                start, end = (first, self.month) if is_before else (self.month, self.now)
                at = start + dice.random() * (end - start)
                tokens = (dice.randrange(1, 50_000), dice.randrange(1, 20_000), dice.randrange(1, 9_000))
                yield Event(f"day-{key}-{number}", key, at, dice.choice(list(LIST)), tokens)

    def _organization(self, number: int) -> Line:
        prices = [
            {
                "model": OWN_MODEL,
                "line_item": item,
                "unit_price": str(price),
                "per": MILLION,
                "effective_date": f"{start:%Y-%m-%d}",
            }
            for start, item, price in self.own_prices(number)
        ]
        line: Line = {"kind": "organizations", "external_id": f"cust-{number}", "name": f"Customer {number}"}
        line["billing_details"] = {"legal_name": f"Customer {number} Inc.", "tax_rate": str(self.tax_rate(number))}
        if prices:
            line["prices"] = prices
        if (payer := self.payer(number)) != number:
            line |= {"parent": f"cust-{payer}", "effective_at": _text(self.month_before)}
        return line


def _line(kind: str, number: int, **fields: object) -> Line:
    return {"kind": kind, "external_id": f"{kind}-{number}", **fields}


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
