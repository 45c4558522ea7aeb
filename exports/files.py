"""The answer that is a file: with an entry in the audit log, and to HEAD without the file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization


def file_response(  # noqa: PLR0913 - what a file is, and who takes it
    request: HttpRequest,
    pieces: Callable[[], Iterator[str] | Iterator[bytes]],
    *,
    name: str,
    content_type: str,
    complete_through: datetime,
    organization: Organization,
    actor: Actor,
    headers: Mapping[str, str] | None = None,
) -> HttpResponseBase:
    """The file that `pieces` makes, streamed. HEAD gets what is said of it; nothing is made, and nobody has taken it."""
    body: Iterable[str] | Iterable[bytes] = ()
    if request.method != "HEAD":
        audit.record("usage.exported", actor=actor, organization=organization, target_name=name)
        body = pieces()
    return StreamingHttpResponse(
        body,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Complete-Through": f"{complete_through:%Y-%m-%dT%H:%M:%SZ}",
            **(headers or {}),
        },
    )
