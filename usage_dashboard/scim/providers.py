"""An identity provider, and what it asks for and cannot have."""

from dataclasses import dataclass
from enum import StrEnum

from accounts.audit.audit import Actor
from accounts.models import Organization


@dataclass(frozen=True)
class Provider:
    """Who says it: the provider of one organization, by the name that the audit log has for its token."""

    organization: Organization
    actor: Actor


class Why(StrEnum):
    """The kind of a refusal; `serving` has SCIM's error for each."""

    TAKEN = "taken"
    INVALID = "invalid"
    IN_THE_WAY = "in the way"
    GONE = "gone"


class ScimRefusedError(Exception):
    """The message says why, to whoever set up the provider."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why
