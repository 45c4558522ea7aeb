"""Scraping as Prometheus does, and reading the answer with the client library's own parser."""

from collections.abc import Iterable
from typing import Final

from django.http import HttpResponse
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

TOKEN: Final = "a-token-of-Prometheus"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def ask(token: str | None = TOKEN, **options: str) -> HttpResponse:
    """The answer to `GET /metrics`; `options` go into the request's environment."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    response = Client().get("/metrics", headers=headers, **options)  # type: ignore[arg-type] # environment, of any name
    assert isinstance(response, HttpResponse)
    return response


def samples(text: str) -> Samples:
    """Every sample by name and labels. None may be there twice: Prometheus refuses the whole scrape then."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name.removeprefix("usage_dashboard_"), frozenset(sample.labels.items())
            assert key not in found, key
            found[key] = sample.value
    return found


def scraped() -> Samples:
    response = ask()
    assert response.status_code == 200, response.content
    return samples(response.content.decode())


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def values(found: Samples, name: str, label: str) -> dict[str, float]:
    """The samples of a metric by one of its labels."""
    return {dict(labels)[label]: number for (one, labels), number in found.items() if one == name}


def counters(found: Samples) -> Iterable[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
    """What never becomes less."""
    return [(key, number) for key, number in found.items() if key[0].endswith(("_total", "_bucket", "_count", "_sum"))]
