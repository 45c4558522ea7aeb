"""A request as WSGI describes it (PEP 3333), made from what ASGI says."""

import io
import sys
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from django.conf import settings

from usage_dashboard.web.site_address import under

Environ = dict[str, Any]

_ALWAYS: Final[Environ] = {
    "SCRIPT_NAME": settings.FORCE_SCRIPT_NAME or "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def environ_of(scope: dict[str, Any]) -> Environ:
    """All but the body, with each header once. A header with an underscore in its name is dropped.

    For WSGI `X_Forwarded_For` has the same name as `X-Forwarded-For`, so that it would win over what a proxy says.
    """
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    environ = {
        **_ALWAYS,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.url_scheme": scope["scheme"],
    }
    for header, value in scope["headers"]:
        name = _name(header)
        if name is None:
            continue
        text = value.decode("latin-1")
        if name in environ:
            text = f"{environ[name]}{'; ' if name == 'HTTP_COOKIE' else ','}{text}"
        environ[name] = text
    if environ["SCRIPT_NAME"]:
        sent = environ.get("HTTP_X_FORWARDED_PREFIX", "")
        environ["PATH_INFO"] = under(environ["PATH_INFO"], environ["SCRIPT_NAME"], sent)
    return environ


def declared_length(environ: Environ) -> int | None:
    """The Content-Length, if there is one, and if it is a number."""
    text = environ.get("CONTENT_LENGTH", "")
    return int(text) if text.isascii() and text.isdigit() else None


def has_body(environ: Environ) -> bool:
    """Whether a body is on its way. HTTP/2 need not say so beforehand; its forms and events come with POST."""
    declared = declared_length(environ)
    if declared is not None:
        return declared > 0
    return "HTTP_TRANSFER_ENCODING" in environ or environ["REQUEST_METHOD"] not in ("GET", "HEAD", "OPTIONS")


def put_body(environ: Environ, body: bytes) -> None:
    """The whole body with its real length, however it came."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


@lru_cache(maxsize=512)
def _name(header: bytes) -> str | None:
    if b"_" in header:
        return None
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
