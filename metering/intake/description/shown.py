"""The types that bodies are read with, as they are shown to senders: a part that is read later is anything."""

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

Fields = Mapping[str, Any]


def shown(struct: type[msgspec.Struct], *, prefix: str = "", **of_fields: Any) -> type[msgspec.Struct]:
    """The same fields with their limits, of which msgspec makes a schema. What is `Raw` is anything, or the type that
    `of_fields` names; `prefix` tells types of the same name apart."""
    return _struct(struct, prefix, frozenset(of_fields.items()))


@cache
def _struct(struct: type[msgspec.Struct], prefix: str, of_fields: frozenset[tuple[str, Any]]) -> type[msgspec.Struct]:
    known = dict(of_fields)
    fields = [
        (field.name, _shown(known.get(field.name, field.type), prefix), _default(field))
        for field in msgspec.structs.fields(struct)
    ]
    return msgspec.defstruct(
        f"{prefix}{struct.__name__}",
        fields,
        kw_only=True,
        forbid_unknown_fields=struct.__struct_config__.forbid_unknown_fields,
        namespace={"__doc__": struct.__doc__},
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    named: dict[str, Any] = {"name": field.encode_name}
    if field.required:
        return msgspec.field(**named)
    is_plain = field.default is not msgspec.NODEFAULT and not isinstance(field.default, msgspec.Raw)
    return msgspec.field(default=field.default if is_plain else None, **named)


def _shown(shape: Any, prefix: str) -> Any:
    if shape is msgspec.Raw:
        return Any
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return _struct(shape, prefix, frozenset())
    parts = get_args(shape)
    if get_origin(shape) is Annotated:
        return Annotated[(_shown(parts[0], prefix), *parts[1:])]
    if get_origin(shape) in (Union, types.UnionType):
        return Union[_all(parts, prefix)]  # noqa: UP007 - the parts are known at run time
    origin = get_origin(shape)
    return origin[_all(parts, prefix)] if origin in (list, dict, tuple) else shape


def _all(parts: Iterable[Any], prefix: str) -> tuple[Any, ...]:
    return tuple(_shown(part, prefix) for part in parts)
