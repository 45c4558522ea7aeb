"""What the addresses of Anthropic's admin API share in their query strings: moments, groups and filters."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from accounts.periods import FIRST_YEAR, LAST_YEAR
from apikeys.adminkeys.api import InvalidRequestError
from exports.admin_api.query_strings import Given, not_told_apart, one_of, single, unknown, values_of
from exports.anthropic_api.groups import KNOWN
from metering.usage.groupings import Grouping

RFC_3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+ -]\d{2}:\d{2})", re.ASCII
)
MOST_GROUPS: Final = 5
UNTRACKED: Final = "untracked"
ALWAYS_TAKEN: Final = ("beta",)
"""What the vendor's client adds to the addresses of betas, of which nothing here depends."""
NOT_KNOWN_FILTERS: Final = (
    "agent_ids",
    "claude_tag_categories",
    "claude_tag_user_ids",
    "deployment_ids",
    "environment_ids",
    "products",
    "rbac_group_ids",
    "service_account_ids",
    "session_ids",
    "slack_channel_ids",
    "user_profile_ids",
)
Filters = Mapping[str, tuple[str, ...]]


def require_known(given: Given, known: Sequence[str]) -> None:
    """Raises InvalidRequestError for a parameter that would not be read: the answer would be of too much."""
    for name in given:
        if name in NOT_KNOWN_FILTERS:
            raise not_told_apart(name)
        if name not in known and name not in ALWAYS_TAKEN:
            raise unknown(name)


def moment(given: Given, name: str) -> datetime | None:
    """A moment of RFC 3339, with its offset from UTC. Raises InvalidRequestError."""
    text = single(given, name)
    if text is None:
        return None
    found = _parsed(text.strip())
    if found is None:
        raise InvalidRequestError(
            f"Invalid value for '{name}': '{text[:40]}'. Send a moment of RFC 3339 with its offset from UTC, "
            "like 2026-11-01T00:00:00Z.",
            param=name,
            code="invalid_value",
        )
    return found


def _parsed(text: str) -> datetime | None:
    """A `+` that came as a space, because it was not escaped, is taken for what it was."""
    found = RFC_3339.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, offset = found.groups()
    offset = "+00:00" if offset in "Zz" else offset.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{(fraction or '')[:7]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year < LAST_YEAR else None


def groups_of(
    given: Given, allowed: Sequence[str], *, most: int = MOST_GROUPS, uncounted: Sequence[str] = ()
) -> tuple[str, ...]:
    """What results are told apart by, `most` beside the `uncounted`. Raises InvalidRequestError."""
    groups = tuple(dict.fromkeys(values_of(given, "group_by")))
    for place, name in enumerate(groups):
        one_of(f"group_by[{place}]", name, allowed)
    if len([name for name in groups if name not in uncounted]) > most:
        raise InvalidRequestError(
            f"Invalid 'group_by': at most {most} dimensions.", param="group_by", code="array_above_max_length"
        )
    return groups


def groupings_of(group_by: Sequence[str]) -> tuple[Grouping, ...]:
    """What rows are told apart by, of that which is known here."""
    return tuple(dict.fromkeys(KNOWN[name] for name in group_by if name in KNOWN))


def filters_of(given: Given, names: Sequence[str]) -> Filters:
    """Those that are there. Of keys an empty entry, and `untracked`, is the usage that no key tells. Raises
    InvalidRequestError."""
    filters = {name: values_of(given, name) for name in names if name in given}
    if any(not value.strip() for value in given.get("api_key_ids", ())):
        filters["api_key_ids"] = (*filters["api_key_ids"], UNTRACKED)
    return filters
