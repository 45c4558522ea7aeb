"""From a way in for usage to its entry in the description."""

from typing import Any, Final

from drf_spectacular.plumbing import ComponentRegistry

from accounts.installation.described import SENDING
from metering.intake.api import Way
from metering.intake.description.refusals import ITEM
from metering.intake.description.ways import DESCRIBED, Shapes, WayIn
from usage_dashboard.apidocs import shapes
from usage_dashboard.apidocs.security import SENDER_SCHEMES, register
from usage_dashboard.apidocs.view_schema import operation_id

Entry = dict[str, Any]
BYTES: Final[Entry] = {}


def operation_of(way: Way, path: str, registry: ComponentRegistry) -> Entry:
    """The entry of `POST` to it."""
    described = DESCRIBED[way]
    content = _content(described.bodies, registry)
    content[next(iter(content))]["examples"] = {"example": {"value": described.example}}
    return {
        "operationId": operation_id("POST", path),
        "summary": described.title,
        "description": described.text,
        "tags": [SENDING],
        "requestBody": {"required": True, "content": content},
        "security": register(SENDER_SCHEMES, registry),
        "responses": {**_answers(described, registry), **_errors(described, registry)},
    }


def _answers(described: WayIn, registry: ComponentRegistry) -> Entry:
    text = "\n".join(["Stored, but for items with a code:", shapes.said(ITEM)]) if described.has_code else "Stored."
    answered = {status: (_content(of, registry), text) for status, of in described.answers.items()}
    return {f"{status}": _response(content, text) for status, (content, text) in answered.items()}


def _errors(described: WayIn, registry: ComponentRegistry) -> Entry:
    return {
        f"{status}": _response(
            _content(described.refused, registry, codes if described.has_code else {}), shapes.said(codes)
        )
        for status, codes in sorted(described.errors.items())
    }


def _response(content: Entry, description: str) -> Entry:
    return {"description": description, **({"content": content} if content else {})}


def _content(of: Shapes, registry: ComponentRegistry, codes: Any = None) -> Entry:
    """By media type the schema of what it holds."""
    return {
        media_type: {"schema": shapes.error_schema(_one_of(found, registry), codes or {})}
        for media_type, found in of.items()
    }


def _one_of(found: tuple[Any, ...], registry: ComponentRegistry) -> Entry:
    known = [shapes.schema_of(shape, registry) for shape in found]
    return known[0] if len(known) == 1 else ({"anyOf": known} if known else dict(BYTES))
