"""JSON Schema of the types that views name, as components of the description."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

Schema = dict[str, Any]
TEMPLATE: Final = "#/components/schemas/{name}"


def schema_of(shape: Any, registry: ComponentRegistry) -> Schema:
    """A reference to the type's schema, which is in the registry from then on, with all that it is made of.

    A schema is taken as it is.
    """
    if isinstance(shape, dict):
        return shape
    (found,), components = msgspec.json.schema_components([shape], ref_template=TEMPLATE)
    for name, component in components.items():
        _register(ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=component), registry)
    return dict(found)


def _register(component: ResolvedComponent, registry: ComponentRegistry) -> None:
    """Raises ValueError where two types have one name."""
    registry.register_on_missing(component)
    if registry[component].schema != component.schema:
        raise ValueError(f"Two types of the API are called {component.name}.")


def error_schema(shape: Schema, codes: Mapping[str, str]) -> Schema:
    """The shape of an error with one of these codes."""
    known = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    return {"allOf": [shape, known]} if codes else shape


def said(codes: Mapping[str, str]) -> str:
    """When each code comes, a line each."""
    return "\n".join(f"`{code}`: {when}" for code, when in codes.items())
