"""OpenMeter's address and answers: `POST /api/v1/events`, 204 without a body, or problems in JSON (RFC 9457)."""

import json
from typing import Final

from metering.intake.api import Answer, Environ, headers_of
from metering.intake.copy_rows import Outcome
from metering.intake.formats.events import Decoded, Refusal, UnreadableError

PROBLEM_TYPE: Final = "application/problem+json"
MAX_PROBLEMS: Final = 100


def stored(environ: Environ, decoded: Decoded, outcomes: list[Outcome]) -> Answer:  # noqa: ARG001 - as Stored
    """204 if nothing was refused. Else 400 with what was, as its clients look at the status alone; the rest is stored."""
    refused = [(index, outcome) for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
    if not refused:
        return Answer(204, b"", content_type="")
    problems = [
        {"index": index, "code": outcome.code, "message": outcome.message} for index, outcome in refused[:MAX_PROBLEMS]
    ]
    detail = f"{len(refused):,} of {len(outcomes):,} events were refused; the others are stored, and can be sent again."
    return _problem(400, "Bad Request", detail, code=problems[0]["code"], events=problems)


def refused(environ: Environ, error: UnreadableError) -> Answer:  # noqa: ARG001 - as Refused
    """The request as a whole."""
    found = _problem(error.status, error.code, error.message, code=error.code)
    return Answer(found.status, found.body, headers_of(error), found.content_type)


def _problem(status: int, title: str, detail: str, **more: object) -> Answer:
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail, **more})
    return Answer(status, body.encode(), content_type=PROBLEM_TYPE)
