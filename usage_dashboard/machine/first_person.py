"""INIT_…: who is the first of staff, and what an empty installation begins with, for starts without a browser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from usage_dashboard.environment import Environment

TOKEN: Final = re.compile(r"it-[A-Za-z0-9_-]{40,200}")
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
MOST: Final = 120


@dataclass(frozen=True)
class FirstPerson:
    """What was said. Without an email nobody is added; without a password a link to choose one is printed, once.

    `problems`: a sentence for each thing that cannot be. They stop the first start alone: later it matters to no program.
    """

    email: str = ""
    name: str = ""
    password: str = field(default="", repr=False)
    organization: str = ""
    ingest_token: str = field(default="", repr=False)
    problems: tuple[str, ...] = ()


def first_person(env: Environment) -> FirstPerson:
    """As the settings say it; what belongs to somebody whose email is not said is a problem."""
    own = Environment(env.values)
    found = FirstPerson(
        email=own.read("INIT_EMAIL", _email, default=""),
        name=own.read("INIT_NAME", _short, default=""),
        password=own.text("INIT_PASSWORD"),
        organization=own.read("INIT_ORGANIZATION", _short, default=""),
        ingest_token=own.read("INIT_INGEST_TOKEN", _token, default=""),
    )
    env.names |= own.names
    return replace(found, problems=(*own.problems, *_of_nobody(own)))


def _of_nobody(env: Environment) -> Iterator[str]:
    if env.text("INIT_EMAIL").strip():
        return
    for name in ("INIT_NAME", "INIT_PASSWORD", "INIT_ORGANIZATION", "INIT_INGEST_TOKEN"):
        if env.text(name).strip():
            yield f"{name} is set and INIT_EMAIL is not: set it to the email of the first of staff."


def _email(value: str) -> str:
    if not EMAIL.fullmatch(value):
        raise ValueError(f"is “{value}”: it must be an email address.")
    return value


def _short(value: str) -> str:
    if len(value) > MOST or not value.isprintable():
        raise ValueError(f"must be a line of at most {MOST} characters.")
    return value


def _token(value: str) -> str:
    if not TOKEN.fullmatch(value):
        raise ValueError("must be “it-” and 40 to 200 letters, digits, hyphens and underscores.")
    return value
