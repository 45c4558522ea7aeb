"""`POST /v1/usage/events`: the way in for usage."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apikeys import directory, refusals
from apikeys.authentication import bearer_digest
from apikeys.strangers import TooManyUnknownSecretsError, strangers
from metering.intake import ingest, key_limits
from metering.intake.bodies import bodies
from metering.intake.copy_rows import ACCEPTED, DUPLICATE, Outcome
from metering.intake.formats import native
from metering.intake.formats.events import Correction, Event, Refusal, UnreadableError

logger = logging.getLogger(__name__)
JSON_TYPE: Final = "application/json"
OWN_USAGE_NOT_TAKEN: Final = (
    "API keys cannot report their own usage here; the gateway that serves the requests does, with an ingest token."
)
TOO_MANY_UNKNOWN_SECRETS: Final = "Too many unknown secrets came from your address; send it again in a moment."
TOO_MUCH_REFUSED: Final = (
    "Most of what this API key has sent was refused, or stored already; send the rest again later."
)
NDJSON_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets: JSON in `body`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class NotReadError(Exception):
    """The caller gets this answer before the body is looked at."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@csrf_exempt
def usage_events(request: HttpRequest) -> HttpResponse:
    """The view, for all that does not come by the short road (`metering.intake.fast_path`)."""
    found = answer(request.META, request.read)
    return HttpResponse(found.body, status=found.status, headers=dict(found.headers), content_type=JSON_TYPE)


def answer(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> Answer:  # noqa: PLR0911 - one return per answer
    """Store the events of the body; 200 follows the commit and answers each of them. docs/events.md has the details.

    `environ` describes the request as WSGI does (PEP 3333); `read` gives so many bytes of its body.
    """
    if environ["REQUEST_METHOD"] != "POST":
        return _error(405, "method_not_allowed", "Usage events are sent with POST.", Allow="POST")
    digest = bearer_digest(environ.get("HTTP_AUTHORIZATION", ""))
    if digest is None:
        return _unauthenticated()
    try:
        if not strangers.is_somebodys(digest, environ):
            return _unauthenticated()
        caller = directory.patiently(lambda: directory.remembered().caller(digest))
        if caller is None or caller.revoked_at is not None:
            return _unauthenticated()
        return Answer(200, _encoded(_stored(environ, read, caller, digest)))
    except UnreadableError as error:
        return _unreadable(error)
    except TooManyUnknownSecretsError:
        return _error(429, "too_many_unknown_secrets", TOO_MANY_UNKNOWN_SECRETS, **{"Retry-After": "1"})
    except NotReadError as error:
        return error.answer
    except ingest.UnauthenticatedError:
        return _unauthenticated()
    except (OperationalError, InterfaceError, InternalError) as error:  # the last one when PostgreSQL takes no writes
        logger.warning("Usage events could not be stored: %s", error)
        return _error(
            503, "unavailable", "The events could not be stored now; send them again.", **{"Retry-After": "1"}
        )


def _stored(
    environ: Mapping[str, Any], read: Callable[[int], bytes], caller: directory.Caller, digest: bytes
) -> list[Outcome]:
    """What became of the events of the body; a key has limits of what it may report, and of what is refused of it."""
    if caller.key is None:
        return ingest.store(_events(environ, read), secret_digest=digest)
    if not settings.API_KEYS_MAY_REPORT:
        raise NotReadError(_error(403, "own_usage_not_taken", OWN_USAGE_NOT_TAKEN))
    if seconds := refusals.seconds_to_wait(caller.key.id):
        raise NotReadError(_error(429, "too_much_refused", TOO_MUCH_REFUSED, **{"Retry-After": str(seconds)}))
    try:
        events = _events(environ, read)
    except UnreadableError as error:
        if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            refusals.note_unreadable(caller.key.id)
        raise
    outcomes = key_limits.store_own_usage(events, api_key_id=caller.key.id, secret_digest=digest)
    refusals.note(
        caller.key.id,
        num_events=len(outcomes),
        num_stored=outcomes.count(ACCEPTED),
        num_known=outcomes.count(DUPLICATE),
    )
    return outcomes


def _events(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> list[Event | Correction | Refusal]:
    lines = bodies.media_type(environ) in NDJSON_TYPES
    return bodies.read_body(environ, read, partial(native.decode, lines=lines))


def _encoded(outcomes: list[Outcome]) -> bytes:
    return _all_accepted(len(outcomes)) if outcomes.count(ACCEPTED) == len(outcomes) else _encode(outcomes)


@lru_cache(maxsize=64)
def _all_accepted(num_events: int) -> bytes:
    return _encode([ACCEPTED] * num_events)


def _encode(outcomes: list[Outcome]) -> bytes:
    results = [
        {"index": index, "status": "rejected", "code": outcome.code, "message": outcome.message}
        if isinstance(outcome, Refusal)
        else {"index": index, "status": outcome}
        for index, outcome in enumerate(outcomes)
    ]
    accepted, duplicates = outcomes.count(ACCEPTED), outcomes.count(DUPLICATE)
    counts = {
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(outcomes) - accepted - duplicates,
    }
    return json.dumps({**counts, "results": results}, separators=(",", ":")).encode()


def _unauthenticated() -> Answer:
    return _error(
        401,
        "unauthenticated",
        "Send `Authorization: Bearer …` with a valid API key or ingest token.",
        **{"WWW-Authenticate": "Bearer"},
    )


def _unreadable(error: UnreadableError) -> Answer:
    again = {"Retry-After": "1"} if error.status == 503 else {}
    return _error(error.status, error.code, error.message, **again)


def _error(status: int, code: str, message: str, **headers: str) -> Answer:
    return Answer(status, json.dumps({"error": {"code": code, "message": message}}).encode(), tuple(headers.items()))


INTERNAL_ERROR: Final = _error(
    500, "internal_error", "A server error: whether the events were stored is unknown. Send them again."
)
