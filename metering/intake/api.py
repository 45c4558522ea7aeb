"""`POST /v1/usage/events`: the way in for usage, and what other ways in that are answered alike have of it."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apikeys import directory, refusals
from apikeys.authentication import bearer_digest
from apikeys.strangers import TooManyUnknownSecretsError, strangers
from metering.ingestion_models import Source
from metering.intake import ingest, key_limits
from metering.intake.bodies import bodies
from metering.intake.copy_rows import ACCEPTED, DUPLICATE, IGNORED, Outcome
from metering.intake.formats import native
from metering.intake.formats.answers import ItemResult
from metering.intake.formats.events import Decoded, Refusal, UnreadableError
from metering.intake.received import received

logger = logging.getLogger(__name__)
JSON_TYPE: Final = "application/json"
OWN_USAGE_NOT_TAKEN: Final = (
    "API keys cannot report their own usage here; the gateway that serves the requests does, with an ingest token."
)
TOO_MANY_UNKNOWN_SECRETS: Final = "Too many unknown secrets came from your address; send it again in a moment."
UNAVAILABLE: Final = "The events could not be stored now; send them again."
TOO_MUCH_REFUSED: Final = (
    "Most of what this API key has sent was refused, or stored already; send the rest again later."
)
UNAUTHENTICATED: Final = UnreadableError(
    "unauthenticated", "Send `Authorization: Bearer …` with a valid API key or ingest token.", 401
)
NOT_POSTED: Final = UnreadableError("method_not_allowed", "Usage events are sent with POST.", 405)
INTERNAL_ERROR: Final = UnreadableError(
    "internal_error", "A server error: whether the events were stored is unknown. Send them again.", 500
)
HEADERS: Final = {401: (("WWW-Authenticate", "Bearer"),), 405: (("Allow", "POST"),)}
NDJSON_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")


Environ = Mapping[str, Any]
"""A request as WSGI describes it (PEP 3333)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON_TYPE


class Decode(Protocol):
    """Reads the unpacked body of a request. Raises UnreadableError."""

    def __call__(self, body: bytes, environ: Environ) -> Decoded: ...


class Stored(Protocol):
    """Answers a request whose events have these outcomes."""

    def __call__(self, environ: Environ, decoded: Decoded, outcomes: list[Outcome]) -> Answer: ...


class Refused(Protocol):
    """Answers a request that was refused as a whole."""

    def __call__(self, environ: Environ, error: UnreadableError) -> Answer: ...


def outcome_of_each(environ: Environ, decoded: Decoded, outcomes: list[Outcome]) -> Answer:  # noqa: ARG001 - as Stored
    """What became of each item, in JSON."""
    return Answer(200, encoded(outcomes if decoded.sizes is None else _by_item(outcomes, decoded.sizes)))


def error_in_json(environ: Environ, error: UnreadableError) -> Answer:  # noqa: ARG001 - as Refused
    """The code for programs and the sentence for people."""
    body = json.dumps({"error": {"code": error.code, "message": error.message}}).encode()
    return Answer(error.status, body, headers_of(error))


@dataclass(frozen=True, slots=True)
class Way:
    """A way in: under which name its events are counted, how its bodies are read, and how it is answered.

    `instead` names another way for requests in another format to the same address.
    """

    source: Source
    decode: Decode
    stored: Stored = outcome_of_each
    refused: Refused = error_in_json
    instead: Callable[[Environ], "Way | None"] | None = None


def view_of(way: Way) -> Callable[[HttpRequest], HttpResponse]:
    """The view, for all that does not come by the short road (`metering.intake.fast_path`)."""

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        found = answer(request.META, request.read, way)
        return HttpResponse(
            found.body, status=found.status, headers=dict(found.headers), content_type=found.content_type
        )

    view.way = way  # type: ignore[attr-defined] # for the description of the API
    return view


def answer(environ: Environ, read: Callable[[int], bytes], way: Way) -> Answer:
    """Store the events of the body; 200 follows the commit and answers each of its items. docs/events.md has the details.

    `read` gives so many bytes of the body.
    """
    caller = None
    if way.instead is not None:
        way = way.instead(environ) or way
    try:
        if environ["REQUEST_METHOD"] != "POST":
            return way.refused(environ, NOT_POSTED)
        digest, caller = _caller(environ)
        decoded, outcomes = _stored(partial(_decoded, environ, read, way.decode), caller, digest)
        normalised = {"/".join(change): number for change, number in decoded.changes.items()}
        received.note(
            way.source, caller, outcomes, events=decoded.events, ignored=decoded.ignored, normalised=normalised
        )
        return way.stored(environ, decoded, outcomes)
    except UnreadableError as error:
        received.note_unreadable(way.source, caller, error.code, error.message)
        return way.refused(environ, error)
    except ingest.UnauthenticatedError:
        received.note_unreadable(way.source, None, "unauthenticated")
        return way.refused(environ, UNAUTHENTICATED)
    except (OperationalError, InterfaceError, InternalError) as error:  # the last one when PostgreSQL takes no writes
        logger.warning("Usage events could not be stored: %s", error)
        received.note_unreadable(way.source, caller, "unavailable")
        return way.refused(environ, UnreadableError("unavailable", UNAVAILABLE, 503))


def _caller(environ: Environ) -> tuple[bytes, directory.Caller]:
    """The digest of the request's secret, and whose that is. Raises UnauthenticatedError or UnreadableError."""
    digest = bearer_digest(environ.get("HTTP_AUTHORIZATION", ""))
    try:
        if digest is None or not strangers.is_somebodys(digest, environ):
            raise ingest.UnauthenticatedError
    except TooManyUnknownSecretsError as error:
        raise UnreadableError("too_many_unknown_secrets", TOO_MANY_UNKNOWN_SECRETS, 429, retry_after=1) from error
    caller = directory.patiently(lambda: directory.remembered().caller(digest))
    if caller is None or caller.revoked_at is not None:
        raise ingest.UnauthenticatedError
    return digest, caller


def _stored(decoded: Callable[[], Decoded], caller: directory.Caller, digest: bytes) -> tuple[Decoded, list[Outcome]]:
    """The body, and what became of its events."""
    if caller.key is not None:
        return _stored_own(decoded, caller.key.id, digest)
    found = decoded()
    return found, ingest.store(found.events, secret_digest=digest)


def _stored_own(decoded: Callable[[], Decoded], api_key_id: int, digest: bytes) -> tuple[Decoded, list[Outcome]]:
    """A key reports its own usage; it has limits of what it may report, and of what is refused of it."""
    if not settings.API_KEYS_MAY_REPORT:
        raise UnreadableError("own_usage_not_taken", OWN_USAGE_NOT_TAKEN, 403)
    if seconds := refusals.seconds_to_wait(api_key_id):
        raise UnreadableError("too_much_refused", TOO_MUCH_REFUSED, 429, retry_after=seconds)
    try:
        found = decoded()
    except UnreadableError as error:
        if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            refusals.note_unreadable(api_key_id)
        raise
    outcomes = key_limits.store_own_usage(found.events, api_key_id=api_key_id, secret_digest=digest)
    refusals.note(
        api_key_id,
        num_events=len(outcomes),
        num_stored=outcomes.count(ACCEPTED),
        num_known=outcomes.count(DUPLICATE),
    )
    return found, outcomes


def _decoded(environ: Environ, read: Callable[[int], bytes], decode: Decode) -> Decoded:
    return bodies.read_body(environ, read, lambda body: decode(body, environ))


def _by_item(outcomes: list[Outcome], sizes: Sequence[int]) -> list[Outcome]:
    """One outcome for the events of each item: refused if one is, accepted if one is new, ignored if there are none."""
    following = iter(outcomes)
    return [_of_item(list(islice(following, size))) for size in sizes]


def _of_item(outcomes: list[Outcome]) -> Outcome:
    if not outcomes:
        return IGNORED
    refused = next((outcome for outcome in outcomes if isinstance(outcome, Refusal)), None)
    return refused or (ACCEPTED if ACCEPTED in outcomes else outcomes[0])


def encoded(outcomes: list[Outcome]) -> bytes:
    """The answer to events with these outcomes, as JSON."""
    return _all_accepted(len(outcomes)) if outcomes.count(ACCEPTED) == len(outcomes) else _encode(outcomes)


@lru_cache(maxsize=64)
def _all_accepted(num_events: int) -> bytes:
    return _encode([ACCEPTED] * num_events)


def _encode(outcomes: list[Outcome]) -> bytes:
    results: list[ItemResult] = [
        {"index": index, "status": "rejected", "code": outcome.code, "message": outcome.message}
        if isinstance(outcome, Refusal)
        else {"index": index, "status": outcome}
        for index, outcome in enumerate(outcomes)
    ]
    accepted, duplicates, ignored = (outcomes.count(kind) for kind in (ACCEPTED, DUPLICATE, IGNORED))
    counts = {
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(outcomes) - accepted - duplicates - ignored,
        **({"ignored": ignored} if ignored else {}),
    }
    return json.dumps({**counts, "results": results}, separators=(",", ":")).encode()


def declares_lines(environ: Environ) -> bool:
    """Whether the sender says that each line is an item (NDJSON)."""
    return bodies.media_type(environ) in NDJSON_TYPES


def headers_of(error: UnreadableError) -> tuple[tuple[str, str], ...]:
    """Those that belong to the status."""
    again = (("Retry-After", str(error.retry_after)),) if error.retry_after else ()
    return again + HEADERS.get(error.status, ())


def _native(body: bytes, environ: Environ) -> Decoded:
    return Decoded(native.decode(body, lines=declares_lines(environ)))


NATIVE: Final = Way(Source.NATIVE, _native)
