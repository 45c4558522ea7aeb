"""Programs that ask Anthropic's admin API, and what was sent that their answers are about."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import anthropic
import httpx2
from django.http import HttpResponse
from django.test import Client

PREFIX: Final = "/v1/organizations"
Event = dict[str, Any]
Item = dict[str, Any]


def anthropic_client(secret: str, **options: Any) -> anthropic.Anthropic:
    """The vendor's own client, with another base URL, which refuses answers that are not in its schema; its requests reach this
    server without a network."""
    return anthropic.Anthropic(
        api_key=secret,
        base_url="http://testserver",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(_answer)),
        _strict_response_validation=True,
        **options,
    )


def _answer(request: httpx2.Request) -> httpx2.Response:
    address = request.url.raw_path.decode()
    answer = Client().generic(request.method, address, request.content, headers=dict(request.headers))
    return httpx2.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)


def ask(secret: str, address: str, query: Any = None) -> HttpResponse:
    """The answer to a GET of an address below /v1/organizations."""
    answer = Client().get(f"{PREFIX}/{address}", query or {}, headers={"x-api-key": secret})
    assert isinstance(answer, HttpResponse)
    return answer


def page_of(secret: str, address: str, query: dict[str, Any]) -> dict[str, Any]:
    answer = ask(secret, address, query)
    assert answer.status_code == 200, answer.content
    return dict(json.loads(answer.content))


def every_page(secret: str, address: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """All pages of an answer, one after the other."""
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["has_more"]:
        pages.append(page_of(secret, address, query | ({"page": pages[-1]["next_page"]} if pages else {})))
    return pages


def rows_of(pages: Iterable[dict[str, Any]]) -> list[Item]:
    return [row for page in pages for row in page["data"]]


def results_of(pages: Iterable[dict[str, Any]]) -> list[Item]:
    return [result for page in pages for bucket in page["data"] for result in bucket["results"]]


def moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
