"""`POST /v1/operator/batch`: NDJSON in, NDJSON out, an answer for each line in its order; one bad line harms no other."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from django.conf import settings
from django.db import connection
from django.http import StreamingHttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from accounts.installation.described import Errors
from apikeys.adminkeys.api import InvalidRequestError
from apikeys.operatortokens.authentication import OperatorCaller
from usage_dashboard.provisioning.api import ERRORS, OperatorView, line_of, scopes_of
from usage_dashboard.provisioning.apply import SET_SIZE, UNREACHABLE, apply, sets_of
from usage_dashboard.provisioning.fields import EndFields
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.lines import Decision, Line, RefusedError, Status
from usage_dashboard.provisioning.shapes import BatchAnswer, BatchLine, OperatorProblem

MEDIA_TYPE: Final = "application/x-ndjson"
UNAVAILABLE: Final = "The database did not answer, and nothing of this line was changed. Send it again."
Numbered = tuple[int, bytes]


class Unread(BaseParser):
    """The body as it came, of whatever type it says that it is."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002 - the framework's
        return bytes(stream.read())


class TooManyLinesError(InvalidRequestError):
    """Nothing of it was read."""

    status_code = 413


class Batch(OperatorView):
    """Each line is an object: `kind`, `external_id` and the fields of a PUT, or `"delete": true` to end it. Lines are taken a few
    hundred at a time: what shall be comes first, what ends comes last, and a line may name what a later one makes. Send it
    again as often as you like: what is so already stays unchanged.
    """

    title = "Put or end up to 10,000 things"
    question = BatchLine
    takes = MEDIA_TYPE
    example = {"kind": "organizations", "external_id": "cust-17", "name": "Initech"}
    answer = BatchAnswer
    parser_classes = [Unread]
    media_types = (MEDIA_TYPE,)

    def errors(self) -> Errors:
        return {
            **ERRORS,
            400: {"invalid_request": "there is no line in the body"},
            413: {
                "too_many_lines": "more lines than `OPERATOR_BATCH_MAX_LINES`; nothing was done",
                "body_too_large": "more bytes than `OPERATOR_BATCH_MAX_BYTES`; nothing was done",
            },
        }

    def post(self, request: Request) -> StreamingHttpResponse:
        body = request.data  # nothing is {} to the framework
        lines = list(_numbered(body if isinstance(body, bytes) else b""))
        most = settings.OPERATOR_BATCH_MAX_LINES
        if not lines:
            raise InvalidRequestError("Send a line of JSON for each thing.")
        if len(lines) > most:
            raise TooManyLinesError(f"A batch has at most {most:,} lines; nothing was done.", code="too_many_lines")
        return StreamingHttpResponse(_answers(lines, self.caller), content_type=MEDIA_TYPE)


def _numbered(body: bytes) -> Iterator[Numbered]:
    """The lines that are not empty, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip())


def _answers(lines: Iterable[Numbered], caller: OperatorCaller) -> Iterator[bytes]:
    waiting = iter(lines)
    while part := list(islice(waiting, SET_SIZE)):
        for answer in _answered(part, caller):
            yield msgspec.json.encode(answer) + b"\n"


def _answered(part: list[Numbered], caller: OperatorCaller) -> list[BatchAnswer]:
    """The answers to a few lines, in their order."""
    answers: dict[int, BatchAnswer] = {}
    lines: list[Line] = []
    for number, raw in part:
        try:
            lines.append(_read(number, raw, caller))
        except RefusedError as error:
            answers[number] = _refused({"line": number, "status": Status.REFUSED}, error)
    for one in sets_of(lines):
        answers |= {answer["line"]: answer for answer in _carried_out(one, caller)}
    return [answers[number] for number, _ in part]


def _carried_out(lines: list[Line], caller: OperatorCaller) -> list[BatchAnswer]:
    try:
        return [_answer(decision) for decision in apply(lines, actor=caller.actor)]
    except UNREACHABLE:
        connection.close_if_unusable_or_obsolete()
        error = RefusedError("unavailable", UNAVAILABLE)
        return [_refused(_named(line, Status.REFUSED), error) for line in lines]


def _read(number: int, raw: bytes, caller: OperatorCaller) -> Line:
    """Raises RefusedError."""
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError("invalid_json", "This line is no JSON.") from None
    if not isinstance(data, dict):
        raise RefusedError("invalid_request", "This is no JSON object.")
    name, external_id = data.pop("kind", None), data.pop("external_id", None)
    found = KINDS.get(name) if isinstance(name, str) else None
    if found is None:
        raise RefusedError("invalid_request", f"kind: This is one of {', '.join(KINDS)}.", param="kind")
    is_end = data.pop("delete", False)
    if not isinstance(is_end, bool):
        raise RefusedError("invalid_request", "delete: This is true or false.", param="delete")
    line = line_of(
        found.kind.name,
        external_id if isinstance(external_id, str) else "",
        data,
        EndFields if is_end else found.fields,
        is_end=is_end,
        number=number,
    )
    for scope in scopes_of(line, found.scope):
        if not caller.may(scope):
            raise RefusedError("missing_scope", f"This token does not have the scope `{scope}`.", param=scope)
    return line


def _answer(decision: Decision) -> BatchAnswer:
    answer = _named(decision.line, decision.status)
    if decision.error is not None:
        return _refused(answer, decision.error)
    public_id = getattr(decision.row or decision.new, "public_id", None)
    if public_id is not None:
        answer["id"] = public_id
    if decision.secret is not None:
        answer["secret"] = decision.secret
    return answer


def _named(line: Line, status: Status) -> BatchAnswer:
    return {"line": line.number, "kind": line.kind, "external_id": line.external_id, "status": status}


def _refused(answer: BatchAnswer, error: RefusedError) -> BatchAnswer:
    problem: OperatorProblem = {"code": error.code, "message": str(error)}
    if error.param is not None:
        problem["param"] = error.param
    return {**answer, "status": Status.REFUSED, "error": problem}
