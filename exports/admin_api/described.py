"""Parameters that the vendors' admin APIs describe alike."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from accounts.installation.described import example_of
from exports.admin_api.query_strings import MAX_LENGTH, MAX_VALUES


def array(
    name: str, text: str, *, enum: list[str] | None = None, most: int = MAX_VALUES, example: list[str] | None = None
) -> OpenApiParameter:
    """A parameter that takes several values."""
    values: dict[str, Any] = {"type": "string", "maxLength": MAX_LENGTH} | ({"enum": enum} if enum else {})
    several = {"type": "array", "items": values, "maxItems": most}
    spelled = f"{text} Several as `{name}=a&{name}=b` or `{name}[]=a&{name}[]=b`."
    examples = example_of(example) if example else None
    return OpenApiParameter(name, several, description=spelled, style="form", explode=True, examples=examples)
