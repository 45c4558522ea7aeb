"""What shall be, from a YAML file: its lines, the plan that shows what they come to, and the secrets that were made."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from accounts.installation.typed_fields import UnquotedDigits
from usage_dashboard.provisioning.api import line_of
from usage_dashboard.provisioning.fields import EndFields
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.lines import Decision, Line, RefusedError, Status

SHOWN: Final = 10
"""Lines of each kind of change that a plan names."""
MARKS: Final = {Status.CREATED: "+", Status.CHANGED: "~", Status.ENDED: "-", Status.REFUSED: "!"}
WORDS: Final = {Status.CREATED: "create", Status.CHANGED: "change", Status.ENDED: "end", Status.REFUSED: "refuse"}
END: Final = "ended"
WHOLE_NUMBER: Final = "tag:yaml.org,2002:int"
FRACTION: Final = "tag:yaml.org,2002:float"
OTHER: Final = "!other-number"


class Loader(yaml.SafeLoader):
    """Numbers are those that are written as themselves. 0017, 1_000 and 12:30 are `UnquotedDigits`, not 15, 1000 and 750."""


_RESOLVERS: Final = yaml.SafeLoader.yaml_implicit_resolvers.items()
_NUMBERS: Final = (WHOLE_NUMBER, FRACTION)
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS] for first, resolvers in _RESOLVERS
}
Loader.add_implicit_resolver(WHOLE_NUMBER, re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"))
Loader.add_implicit_resolver(
    FRACTION, re.compile(r"(?:[+-]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-][0-9]+)?\Z"), list("+-.0123456789")
)
for _first, _resolvers in _RESOLVERS:
    for _tag, _pattern in _resolvers:
        if _tag in _NUMBERS:
            Loader.add_implicit_resolver(OTHER, _pattern, [_first])
Loader.add_constructor(OTHER, lambda _loader, node: UnquotedDigits(node.value))


class UnreadableFileError(ValueError):
    """A file that says nothing that can be; one sentence for each line."""


def read(path: Path) -> list[Line]:
    """The lines of a file: kinds, in each what shall be by the operator's id; `ended: true` ends. Raises UnreadableFileError."""
    try:
        document = yaml.load(path.read_bytes(), Loader)  # noqa: S506 - the safe one, that knows fewer numbers
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableFileError(f"{path} could not be read: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableFileError(f"{path} has no kinds at its top: {', '.join(KINDS)}.")
    lines, wrong = [], []
    for kind, external_id, said in _things(document):
        try:
            lines.append(_line(kind, external_id, said))
        except RefusedError as error:
            wrong.append(f"{kind} {external_id}: {error}")
    if wrong:
        more = [f"… and {len(wrong) - SHOWN} more."] if len(wrong) > SHOWN else []
        raise UnreadableFileError("\n".join([*wrong[:SHOWN], *more]))
    return lines


def plan(decisions: Iterable[Decision]) -> Iterator[str]:
    """What is new, changes, ends and cannot be: how many of each kind, and the first of them."""
    decisions = list(decisions)
    for status, mark in MARKS.items():
        found = [decision for decision in decisions if decision.status == status]
        if not found:
            continue
        counts = Counter(decision.line.kind for decision in found)
        yield f"{WORDS[status]}: {', '.join(f'{number} {_words(kind)}' for kind, number in counts.items())}"
        yield from (f"  {mark} {_shown(decision)}" for decision in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"  … and {len(found) - SHOWN} more"
    yield f"unchanged: {sum(decision.status == Status.UNCHANGED for decision in decisions)}"


def secrets_of(decisions: Iterable[Decision]) -> Iterator[str]:
    """The secrets that were made, which are nowhere else."""
    for decision in decisions:
        if decision.secret is not None:
            yield f"{decision.line.kind} {decision.line.external_id}: {decision.secret}"


def _things(document: dict[Any, Any]) -> Iterator[tuple[str, str, Any]]:
    """(kind, id, what is said of it). Raises UnreadableFileError."""
    for kind, things in document.items():
        if kind not in KINDS:
            raise UnreadableFileError(f"There is no kind “{str(kind)[:40]}”: {', '.join(KINDS)}.")
        if not isinstance(things, dict | None):
            raise UnreadableFileError(f"{kind}: under each of your ids, what it shall be.")
        for external_id, said in (things or {}).items():
            if type(external_id) not in (str, int):
                raise UnreadableFileError(
                    f"{kind}: put the id “{external_id}” between quotes: without, it is not read as this text."
                )
            yield kind, str(external_id), said


def _line(kind: str, external_id: str, said: Any) -> Line:
    """Raises RefusedError."""
    data = dict(said) if isinstance(said, dict) else said
    is_end = data.pop(END, False) if isinstance(data, dict) else False
    if not isinstance(is_end, bool):
        raise RefusedError("invalid_request", f"{END}: This is true or false.")
    return line_of(kind, external_id, data, EndFields if is_end else KINDS[kind].fields, is_end=is_end, is_file=True)


def _shown(decision: Decision) -> str:
    name = decision.line.fields.get("name") or decision.line.fields.get("email") or ""
    why = f": {decision.error}" if decision.error is not None else ""
    return f"{_words(decision.line.kind)} {decision.line.external_id}{f' ({name})' if name else ''}{why}"


def _words(kind: str) -> str:
    return kind.replace("_", " ")
