"""The description of all addresses for programs, from the site map: views say what they are, and so do ways in for usage."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from accounts.installation.described import AUDIENCES
from metering.intake.api import Way
from usage_dashboard.apidocs.way_schema import operation_of

Document = dict[str, Any]
PREFIXES: Final = ("/v1/", "/api/v1/")


class Generator(SchemaGenerator):
    """Beside the views of the framework, the views that are a way in for usage and speak no framework."""

    def parse(self, input_request: Any, public: bool) -> Document:  # noqa: FBT001 - the framework's signature
        ways = {path: {"post": operation_of(way, path, self.registry)} for path, way in _ways(get_resolver())}
        return {**ways, **super().parse(input_request, public)}  # type: ignore[no-untyped-call] # the framework's

    def get_schema(self, request: Any = None, public: bool = False) -> Document:  # noqa: FBT001, FBT002 - the framework's
        tags = [{"name": name, "description": text} for name, text in AUDIENCES.items()]
        found = super().get_schema(request, public)  # type: ignore[no-untyped-call] # the same
        return {**found, "info": {**found["info"], "title": settings.BRAND.name}, "tags": tags}


@cache
def document() -> Document:
    """The description, made once in the life of a process: it follows from the code and the settings."""
    return dict(Generator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call] # the same


@cache
def as_json() -> bytes:
    return json.dumps(document(), ensure_ascii=False, indent=1).encode()


@cache
def as_yaml() -> bytes:
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120).encode()


def _ways(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Way]]:
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _ways(entry, address)
        elif isinstance(entry, URLPattern) and (way := getattr(entry.callback, "way", None)):
            yield address, way
