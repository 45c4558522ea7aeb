"""Why usage is where it is: the rule that routed it, in a sentence. The rules are in product.md, section 2."""

from typing import Final

from apikeys.routing import ATTRIBUTED, Route

NAMED: Final = "The request named {organization}, and the key's user was a member of it at the time."
BY_DEFAULT: Final = "No organization was named, so it went to {owner} default at the time, {organization}."
SHOWN: Final = "It was {owner} default organization and tracking was on, so it is shown under the key."
NOT_TRACKED: Final = "Tracking was off at the time, so it is shown as Untracked."
NOT_DEFAULT: Final = (
    "{organization} was not {owner} default organization at the time, so it is shown as Untracked there."
)
NEITHER: Final = (
    "{organization} was not {owner} default organization at the time and tracking was off, so it is shown as Untracked."
)


def is_shown(routing: int) -> bool:
    """Whether usage with these stored bits shows under its key; else it reads Untracked."""
    return routing & ATTRIBUTED == ATTRIBUTED


def explain(routing: int, *, organization: str, owner: str = "the user's") -> str:
    """Two sentences: why usage with these bits of Route counts in the organization, and why its key is shown or not.

    `owner` is whose key it is, in the possessive: “your”, “the user's”, “Rita's”. Raises ValueError for bits that routing
    never stores: neither named nor by default.
    """
    bits = Route(routing)
    if not bits & (Route.NAMED | Route.DEFAULT):
        raise ValueError(f"No rule of routing leads to {routing}.")
    where = NAMED if bits & Route.NAMED else BY_DEFAULT
    if is_shown(routing):
        shown = SHOWN if bits & Route.NAMED else "Tracking was on, so it is shown under the key."
    elif bits & Route.DEFAULT:
        shown = NOT_TRACKED
    else:
        shown = NOT_DEFAULT if bits & Route.TRACKED else NEITHER
    return f"{where} {shown}".format(organization=organization, owner=owner)
