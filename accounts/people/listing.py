"""Everybody who has an account here, for staff: found by words, a page at a time, each with what support asks first."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from allauth.mfa.models import Authenticator
from django.db.models import Q, QuerySet

from accounts.models import Membership, User

PAGE_ROWS: Final = 50
MOST_SHOWN: Final = 3
FACTORS: Final = {
    Authenticator.Type.TOTP: "Authenticator app",
    Authenticator.Type.WEBAUTHN: "Passkey",
}
"""What counts as a second factor; recovery codes alone are none."""


@dataclass(frozen=True)
class Person:
    """One account. `memberships` are those of now, the personal one last; `factors` are in words."""

    user: User
    memberships: tuple[Membership, ...]
    factors: tuple[str, ...]

    @property
    def num_more(self) -> int:
        """Memberships beyond those that a line shows."""
        return max(0, len(self.memberships) - MOST_SHOWN)


@dataclass(frozen=True)
class PeoplePage:
    """People by email address. `after` is the address to ask for the next page with; empty on the last one."""

    people: tuple[Person, ...]
    after: str


def find(words: str) -> QuerySet[User]:
    """Whoever has these words in their email address or name, or this id, ours or the operator's own; empty finds all."""
    if not words:
        return User.objects.all()
    return User.objects.filter(
        Q(email__icontains=words) | Q(name__icontains=words) | Q(public_id=words) | Q(external_id=words)
    )


def page_of(users: QuerySet[User], *, after: str) -> PeoplePage:
    """Those behind this email address. The work does not grow with the number of pages before."""
    found = list(users.filter(email__gt=after).order_by("email")[: PAGE_ROWS + 1])
    shown = found[:PAGE_ROWS]
    return PeoplePage(people(shown), shown[-1].email if len(found) > PAGE_ROWS else "")


def people(users: Iterable[User]) -> tuple[Person, ...]:
    """These, with their memberships and second factors; two queries, however many they are."""
    users = list(users)
    memberships, factors = defaultdict(list), defaultdict(set)
    current = Membership.objects.filter(user__in=users, left_at__isnull=True).select_related("organization")
    for membership in current.order_by("organization__is_personal", "organization__name", "id"):
        memberships[membership.user_id].append(membership)
    for user_id, kind in Authenticator.objects.filter(user__in=users, type__in=FACTORS).values_list("user", "type"):
        factors[user_id].add(FACTORS[kind])
    return tuple(Person(user, tuple(memberships[user.pk]), tuple(sorted(factors[user.pk]))) for user in users)
