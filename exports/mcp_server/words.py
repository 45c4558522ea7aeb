"""The types of what tools are asked, with the words that tell an assistant what each one takes."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from exports.mcp_server.endpoints import COST_GROUPS, USAGE_BY_WORD, USAGE_GROUPS

MAX_LENGTH: Final = 300
MAX_VALUES: Final = 100


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text without NUL")
    return value


def _as_list(value: Any) -> Any:
    """Assistants send one value where a list is meant, and null where nothing is."""
    if value is None:
        return ()
    return [value] if isinstance(value, str) else value


def _enum(words: tuple[str, ...]) -> dict[str, Any]:
    """Which values there are, for the schema alone: what is none of them is answered with a sentence of our own."""
    return {"items": {"type": "string", "enum": list(words)}}


Text = Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(_without_nul)]
Texts = Annotated[tuple[Text, ...], Field(max_length=MAX_VALUES), BeforeValidator(_as_list)]
FirstDay = Annotated[Text, Field(description="First day (UTC), like 2026-11-01.")]
LastDay = Annotated[Text | None, Field(description="Last day (UTC), included; today if left out.")]
Day = Annotated[Text, Field(description="The day (UTC), like 2026-11-14; not older than raw events are kept.")]
UsageType = Annotated[
    Text, Field(description="What kind of usage; one per call.", json_schema_extra={"enum": list(USAGE_BY_WORD)})
]
UsageWidth = Annotated[
    Text,
    Field(
        description="One row per group for the whole range (total, the largest first), per day (1d) or per hour (1h).",
        json_schema_extra={"enum": ["total", "1d", "1h"]},
    ),
]
CostWidth = Annotated[
    Text,
    Field(
        description="One row per group for the whole range (total, the largest first), or per day (1d).",
        json_schema_extra={"enum": ["total", "1d"]},
    ),
]
UsageGroups = Annotated[
    Texts,
    Field(
        description="What rows are told apart by; `batch` and `service_tier` for completions alone.",
        json_schema_extra=_enum(USAGE_GROUPS),
    ),
]
CostGroups = Annotated[Texts, Field(description="What rows are told apart by.", json_schema_extra=_enum(COST_GROUPS))]
Projects = Annotated[Texts, Field(description="Only of these project ids; `default` is what is for no project.")]
Users = Annotated[Texts, Field(description="Only of these user ids.")]
Keys = Annotated[Texts, Field(description="Only of these API key ids; `untracked` is usage without a visible key.")]
Models = Annotated[Texts, Field(description="Only of these models, by name.")]
Organizations = Annotated[
    Texts, Field(description="Only of these organization ids; a parent's key reads its children.")
]
