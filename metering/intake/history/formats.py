"""What a file's rows can be: our own events, rows of OpenAI's usage export, or of LiteLLM's table of spend logs."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from metering.intake.formats import native
from metering.intake.formats.events import Item
from metering.intake.history import litellm_spend_logs, openai_usage
from metering.intake.history.rows import Columns
from metering.measures import MEASURES


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a row: events or a refusal, or nothing for the reason that `ignored` names; by which rules it changed."""

    events: Sequence[Item]
    ignored: str = ""
    changes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """`read` makes a reading of a row; the second argument is the public ids of the organizations of this installation."""

    columns: Columns
    read: Callable[[bytes, AbstractSet[str]], Reading]


def _native(text: bytes, organizations: AbstractSet[str]) -> Reading:  # noqa: ARG001 - the same for all formats
    return Reading((native.decode_one(text),))


def _openai(text: bytes, organizations: AbstractSet[str]) -> Reading:
    found = openai_usage.read(text, organizations)
    return Reading((), openai_usage.EMPTY_BUCKET) if found is None else Reading((found,))


def _litellm(text: bytes, organizations: AbstractSet[str]) -> Reading:  # noqa: ARG001 - the same for all formats
    found = litellm_spend_logs.read(text)
    return Reading(found.events, found.ignored, found.changes)


NATIVE_COLUMNS: Final = Columns(
    required=("id", "timestamp", "usage_type"),
    numbers=frozenset({"timestamp", *MEASURES}),
    json=("attributes", "batch"),
)
FORMATS: Final = {
    "native": Format(NATIVE_COLUMNS, _native),
    "openai-usage-csv": Format(openai_usage.COLUMNS, _openai),
    "litellm-spend-logs": Format(litellm_spend_logs.COLUMNS, _litellm),
}
