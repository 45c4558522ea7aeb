"""What a row is of, in the words and ids that people know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import Membership, User
from apikeys.adminkeys.authentication import AdminCaller
from apikeys.models import AdminKey
from exports.admin_api.sums import Row, id_of, names_in
from exports.anthropic_api.groups import ACTOR_TYPE, KNOWN, OF_SKUS, USER_ACTOR, Words, words_of
from exports.anthropic_api.parameters import groupings_of
from metering.usage.groupings import USER
from metering.usage.names import Names

Fields = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """The names of the parts of rows. `actors` are there where rows are told apart by them."""

    group_by: Sequence[str]
    names: Names
    words: Words
    actors: Mapping[int, Fields]

    def fields(self, told: Sequence[str], parts: Sequence[int]) -> Fields:
        """Every group of `told`, null where this answer is not told apart by it or nothing is known."""
        by_group = dict(zip(groupings_of(self.group_by), parts, strict=True))
        fields: Fields = dict.fromkeys(told)
        for name in self.group_by:
            if name == ACTOR_TYPE:
                fields[name] = USER_ACTOR
            elif name == "actor":
                fields[name] = self.actors.get(by_group[USER])
            elif name in KNOWN:
                group = KNOWN[name]
                is_word = group in OF_SKUS.values()
                part = by_group[group]
                fields[name] = self.words.of(group, part) if is_word else id_of(group, part, self.names)
        return fields


def shown(rows: Sequence[Row], group_by: Sequence[str], caller: AdminCaller) -> Shown:
    """Of rows of (slot, the part of each group …). Names and emails of people are for keys that may read members."""
    groups = groupings_of(group_by)
    ids = {row[place] for place, group in enumerate(groups, start=1) if group == USER for row in rows}
    actors = _actors(ids, caller) if "actor" in group_by else {}
    return Shown(group_by, names_in(rows, groups, caller.organizations), words_of(groups), actors)


def _actors(ids: set[int], caller: AdminCaller) -> dict[int, Fields]:
    current = Membership.objects.filter(organization__in=caller.organizations, left_at__isnull=True, user__in=ids)
    members = set(current.values_list("user_id", flat=True))
    named = members if AdminKey.Scope.MEMBERS in caller.key.scopes else set()
    return {
        user.pk: {
            "type": USER_ACTOR,
            "user_id": user.public_id,
            "name": (user.name or None) if user.pk in named else None,
            "email_address": user.email if user.pk in named else None,
            "deleted": user.pk not in members,
        }
        for user in User.objects.filter(pk__in=ids)
    }
