"""What the page about the API shows, from its description: addresses by audience, what they take and answer, and examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.safestring import SafeString

from accounts.installation.described import AUDIENCES
from usage_dashboard.apidocs.examples import Example, examples_of
from usage_dashboard.apidocs.generator import document
from usage_dashboard.apidocs.own import Own
from usage_dashboard.apidocs.words import marked

Entry = dict[str, Any]
DEEPEST: Final = 4
LIST: Final = "[]"


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body: `kind` is its type with its bounds."""

    name: str
    kind: str
    text: SafeString
    is_required: bool


@dataclass(frozen=True)
class Refusal:
    """A status with one of its codes, if it has any, and when it comes."""

    status: str
    code: str
    when: SafeString


@dataclass(frozen=True)
class Call:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    title: str
    text: SafeString
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    body_types: tuple[str, ...]
    answer: tuple[Field, ...]
    answer_types: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    examples: tuple[Example, ...]

    @property
    def body_has_meaning(self) -> bool:
        return any(field.text for field in self.body)

    @property
    def answer_has_meaning(self) -> bool:
        return any(field.text for field in self.answer)


@dataclass(frozen=True)
class Section:
    """The addresses of an audience."""

    title: str
    text: str
    calls: tuple[Call, ...]


def sections(own: Own) -> list[Section]:
    """All that the installation has, with examples for a reader."""
    calls = [
        (entry["tags"][0], _call(path, method, entry, own))
        for path, methods in document()["paths"].items()
        for method, entry in methods.items()
    ]
    return [
        Section(title, text, tuple(call for audience, call in calls if audience == title))
        for title, text in AUDIENCES.items()
    ]


def _call(path: str, method: str, entry: Entry, own: Own) -> Call:
    success = next(answer for status, answer in entry["responses"].items() if status.startswith("2"))
    body = entry.get("requestBody", {}).get("content", {})
    answered = success.get("content", {})
    return Call(
        anchor=entry["operationId"],
        method=method.upper(),
        path=path,
        title=entry["summary"],
        text=marked(entry["description"]),
        parameters=tuple(map(_parameter, entry.get("parameters", ()))),
        body=tuple(_fields(_first_schema(body))),
        body_types=tuple(body),
        answer=tuple(_fields(_first_schema(answered))),
        answer_types=tuple(answered),
        refusals=tuple(_refusals(entry)),
        examples=tuple(examples_of(path, method, entry, own)),
    )


def _parameter(said: Entry) -> Field:
    return Field(
        said["name"], kind_of(said["schema"]), marked(said.get("description", "")), said.get("required", False)
    )


def _refusals(entry: Entry) -> Iterator[Refusal]:
    for status, answer in entry["responses"].items():
        for line in answer["description"].splitlines():
            code, _, when = line.strip("`").partition("`: ")
            if when:
                yield Refusal(f"{status}, an item" if status.startswith("2") else status, code, marked(when))


def _first_schema(content: Entry) -> Entry:
    """Of the media type that is named first, the first shape."""
    first: Entry = next(iter(content.values()), {})
    schema = _resolved(first.get("schema", {}))
    return _resolved(schema["anyOf"][0]) if "anyOf" in schema else schema


def _fields(schema: Entry, name: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object and of those within it: `data[].results[].input_tokens`."""
    schema = _resolved(schema)
    if "items" in schema and depth < DEEPEST:
        yield from _fields(schema["items"], f"{name}{LIST}", depth)
    needed = schema.get("required", ())
    for part, said in schema.get("properties", {}).items():
        inner = f"{name}.{part}" if name else part
        yield Field(inner, kind_of(said), marked(said.get("description", "")), part in needed)
        if depth < DEEPEST:
            yield from _fields(_only(said), inner, depth + 1)


def _only(schema: Entry) -> Entry:
    """What a value is if it is not null."""
    parts = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return parts[0] if len(parts) == 1 else schema


def _resolved(schema: Entry) -> Entry:
    if "allOf" in schema:
        return _resolved(schema["allOf"][0])
    if "$ref" not in schema:
        return schema
    found: Entry = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def kind_of(schema: Entry) -> str:
    """The type and the bounds of a value in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(kind_of, schema["anyOf"])))
    if "enum" in schema:
        words = " | ".join("null" if value is None else str(value) for value in schema["enum"])
        return words + _unless_said(schema)
    if "$ref" in schema or "allOf" in schema:
        return "object"
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "array" in kinds:
        return f"list of: {kind_of(schema.get('items', {}))}"
    words = " or ".join("text" if kind == "string" else kind for kind in kinds)
    return f"{words}{_bounds(schema)}"


def _bounds(schema: Entry) -> str:
    form = f" ({schema['format']})" if schema.get("format") else ""
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        form += f", {least} to {most}"
    if "maxLength" in schema:
        form += f", up to {schema['maxLength']} characters"
    return form + _unless_said(schema)


def _unless_said(schema: Entry) -> str:
    default = schema.get("default")
    return "" if default in (None, "") else f"; {str(default).lower()} unless said"
