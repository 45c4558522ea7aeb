"""What an organization's usage is for, beside the project: the attributes that it has declared.

Functions that change something are called inside `with accounts.changes.organization_change(organization)`, in which nobody
else changes the organization's attributes.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.models import Attribute, Organization
from accounts.pages.forms import is_printable

MOST_DECLARED: Final = 5  # each one more is a row more for every event's hour, day and month
MAX_TITLE_LENGTH: Final = 60
MAX_VALUE_LENGTH: Final = 64
NAME_FORM: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class AttributeRefusedError(ValueError):
    """A change that the rules of attributes forbid; the message says why, `field` whether it is the name or the title."""

    field = "name"


class TitleRefusedError(AttributeRefusedError):
    """A title that an attribute cannot have; the message says why."""

    field = "title"


class InvalidValueError(ValueError):
    """A value that an attribute cannot have; `name` says which attribute, the message says why."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def declared_of(organization: Organization) -> list[Attribute]:
    """The attributes that are declared now, in the order in which they were."""
    return list(
        Attribute.objects.filter(organization=organization, withdrawn_at__isnull=True).order_by("declared_at", "id")
    )


def declare(
    *, organization: Organization, name: str, title: str, now: datetime, actor: Actor = SYSTEM_ACTOR
) -> Attribute:
    """From now on events of the organization may have this attribute. A withdrawn one is declared again, with its past.

    Raises AttributeRefusedError.
    """
    if not NAME_FORM.fullmatch(name):
        raise AttributeRefusedError(
            "A name begins with a letter from a to z and has at most 32 lower-case letters, digits and underscores."
        )
    declared = declared_of(organization)
    if any(attribute.name == name for attribute in declared):
        raise AttributeRefusedError(f"“{name}” is declared already.")
    if len(declared) >= MOST_DECLARED:
        raise AttributeRefusedError(
            f"{organization} has declared {MOST_DECLARED} attributes, which is the limit. Withdraw one first."
        )
    attribute, _ = Attribute.objects.update_or_create(
        organization=organization,
        name=name,
        defaults={"title": clean_title(title), "declared_at": now, "withdrawn_at": None},
    )
    _record("attribute.declared", attribute, actor)
    return attribute


def retitle(*, attribute: Attribute, title: str, actor: Actor = SYSTEM_ACTOR) -> bool:
    """Gives the attribute another title, in past usage too. Returns whether anything changed. Raises AttributeRefusedError."""
    attribute.refresh_from_db()
    before, attribute.title = attribute.title, clean_title(title)
    if attribute.title == before:
        return False
    attribute.save(update_fields=["title"])
    _record("attribute.updated", attribute, actor, title_before=before)
    return True


def withdraw(*, attribute: Attribute, now: datetime, actor: Actor = SYSTEM_ACTOR) -> bool:
    """From now on nothing more is stored of the attribute; what is stored stays. Returns whether anything changed."""
    attribute.refresh_from_db()
    if attribute.withdrawn_at is not None:
        return False
    attribute.withdrawn_at = now
    attribute.save(update_fields=["withdrawn_at"])
    _record("attribute.withdrawn", attribute, actor)
    return True


def clean_title(title: str) -> str:
    """The title without white space around it. Raises TitleRefusedError if it is empty, too long or unprintable."""
    title = title.strip()
    if not title:
        raise TitleRefusedError("Enter a title.")
    if len(title) > MAX_TITLE_LENGTH:
        raise TitleRefusedError(f"A title can have at most {MAX_TITLE_LENGTH} characters.")
    if not is_printable(title):
        raise TitleRefusedError("A title cannot contain control characters or line breaks.")
    return title


def clean_values(organization: Organization, values: Mapping[str, str]) -> dict[str, str]:
    """The values without white space around them, by the attribute's name; empty ones are left out.

    Raises AttributeRefusedError for a name that is not declared, InvalidValueError for a value that is too long or unprintable.
    """
    declared = {attribute.name for attribute in declared_of(organization)}
    cleaned = {name: _clean_value(name, value) for name, value in sorted(values.items())}
    for name in cleaned:
        if name not in declared:
            raise AttributeRefusedError(f"{organization} has not declared “{name}”.")
    return {name: value for name, value in cleaned.items() if value}


def _clean_value(name: str, value: str) -> str:
    value = value.strip()
    if len(value) > MAX_VALUE_LENGTH:
        raise InvalidValueError(
            name, f"A value can have at most {MAX_VALUE_LENGTH} characters; this one has {len(value):,}."
        )
    if not is_printable(value):
        raise InvalidValueError(name, "A value cannot contain control characters or line breaks.")
    return value


def _record(event: str, attribute: Attribute, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=attribute.organization,
        target_id=attribute.name,
        target_name=attribute.title,
        details=details,
    )
