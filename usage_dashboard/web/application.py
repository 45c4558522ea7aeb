"""The ASGI application that the server calls: body, thread, answer."""

import json
import logging
import time
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

from metering.intake.fast_path import WAYS
from metering.intake.formats.events import UnreadableError
from usage_dashboard.monitoring.routes import note_refused_body, note_request
from usage_dashboard.web.answers import Answer, Send, WSGIApplication, ask, send_answer
from usage_dashboard.web.bodies import Bodies, Receive, RefusedError
from usage_dashboard.web.environ import Environ, declared_length, environ_of, has_body, put_body
from usage_dashboard.web.programs import API_PREFIXES
from usage_dashboard.web.threads import Threads

ALIVE_PATH: Final = "/healthz"
BATCH_PATH: Final = "/v1/operator/batch"
ALIVE: Final = Answer(
    HTTPStatus.OK,
    [
        (b"content-type", b"text/plain"),
        (b"content-length", b"3"),
        (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    ],
    b"ok\n",
)
BROKEN: Final = "This could not be completed, and nothing was sent. Try again."
logger = logging.getLogger("django.request")


class Application:
    """Answers with a WSGI application, whose threads only ever see whole requests."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._bodies = Bodies()
        self._threads: Threads | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        environ = environ_of(scope)
        if environ["PATH_INFO"] == ALIVE_PATH and scope["method"] in ("GET", "HEAD"):
            await send_answer(send, ALIVE)  # without a thread: it is asked most urgently when none is free
            return
        if not has_body(environ):
            put_body(environ, b"")
            await send_answer(send, await self._answer(environ))
            return
        began_at = time.perf_counter()
        try:
            body = await self._bodies.take(receive, declared=declared_length(environ), most=_most_bytes(environ))
        except RefusedError as refused:
            note_refused_body(refused.status, time.perf_counter() - began_at)
            await send_answer(send, _refusal(environ, refused))
            return
        try:
            put_body(environ, body)
            await send_answer(send, await self._answer(environ))
        finally:
            self._bodies.done(body)

    async def _answer(self, environ: Environ) -> Answer:
        began_at = time.perf_counter()
        answer = await self._made(environ)
        note_request(environ, answer.status, time.perf_counter() - began_at)
        return answer

    async def _made(self, environ: Environ) -> Answer:
        if self._threads is None:
            self._threads = Threads(settings.WEB_THREADS, "request")
        try:
            answer: Answer = await self._threads.call(ask, self._application, environ)
        except Exception:
            logger.exception("No whole answer: %s", environ["PATH_INFO"])
            return _sentence(environ, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", BROKEN)
        return answer


def _most_bytes(environ: Environ) -> int:
    path = environ["PATH_INFO"]
    most: int = settings.FORM_BODY_MAX_BYTES
    if path in WAYS:
        most = settings.EVENTS_BODY_MAX_BYTES
    elif path == BATCH_PATH:
        most = settings.OPERATOR_BATCH_MAX_BYTES
    return most


def _refusal(environ: Environ, refused: RefusedError) -> Answer:
    """Its connection ends with it, because the rest of the body may still be on its way."""
    answer = _of_way(environ, refused) or _sentence(environ, refused.status, refused.code, refused.message)
    answer.headers.append((b"connection", b"close"))
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers.append((b"retry-after", b"1"))
    return answer


def _of_way(environ: Environ, refused: RefusedError) -> Answer | None:
    """As the way in that is at this address answers, if there is one."""
    way = WAYS.get(environ["PATH_INFO"])
    if way is None:
        return None
    found = way.refused(environ, UnreadableError(refused.code, refused.message, refused.status))
    return _answer(found.status, found.content_type, found.body)


def _sentence(environ: Environ, status: HTTPStatus, code: str, message: str) -> Answer:
    """JSON for programs, and a line of text for people."""
    for_programs = environ["PATH_INFO"].startswith(API_PREFIXES)
    body = json.dumps({"error": {"code": code, "message": message}}) if for_programs else f"{message}\n"
    return _answer(status, "application/json" if for_programs else "text/plain; charset=utf-8", body.encode())


def _answer(status: int, content_type: str, body: bytes) -> Answer:
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
    return Answer(status, headers, body)
