"""Ids of events out of the ids of sources. The same request has the same id in every retry."""

from hashlib import sha256
from typing import Final

from metering.intake.checks import is_visible

MAX_LENGTH: Final = 64
DIGITS: Final = MAX_LENGTH - len("h-")


def event_id(source_id: str) -> str:
    """A source's id as it is, or `h-` and the first 62 digits of its SHA-256 where it is too long or has spaces.

    An empty one stays empty, and is refused with its event.
    """
    if len(source_id) <= MAX_LENGTH and is_visible(source_id):
        return source_id
    return f"h-{_digits(source_id)}"


def id_of_two(source: str, source_id: str) -> str:
    """The id where one alone is not unique (CloudEvents: `source` and `id` are): `e-` and 62 digits of SHA-256 of both."""
    return "e-" + _digits(f"{source}\0{source_id}")


def part_id(main_id: str, suffix: str) -> str:
    """The id of a further event of the same request: `resp_1` and `ws` → `resp_1-ws`."""
    return event_id(f"{main_id}-{suffix}")


def _digits(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGITS]
