"""Requests that reach the server without a network, in the test's own transaction."""

from io import BytesIO
from typing import Any

import requests
from django.http import StreamingHttpResponse
from django.test import Client
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse


class InProcess(HTTPAdapter):
    """For `requests.Session.mount`: a prepared request goes to the site map, and its answer comes back as from a wire."""

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        assert request.method is not None
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {name: _text(value) for name, value in request.headers.items() if name.lower() != "content-length"}
        media_type = headers.pop("Content-Type", "")
        answer = Client().generic(request.method, request.path_url, body, media_type, headers=headers)
        is_streamed = isinstance(answer, StreamingHttpResponse)
        content = b"".join(answer.streaming_content) if is_streamed else answer.content  # type: ignore[attr-defined]
        raw = HTTPResponse(
            BytesIO(content),
            dict(answer.items()),
            answer.status_code,
            reason=answer.reason_phrase,
            preload_content=False,
        )
        return self.build_response(request, raw)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
