"""Under whose name and in whose colour people see this installation: what the operator's settings say, checked at the start.

Functions that read a setting raise ValueError with the rest of a sentence that begins with the setting's name.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from accounts.installation.colors import Accent

MAX_NAME_LENGTH: Final = 60
MAX_IMAGE_BYTES: Final = 256 * 1024  # it is part of every page
RIFF: Final = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
SVG: Final = "image/svg+xml"
ACTIVE_TAGS: Final = frozenset({"script", "foreignobject", "handler", "iframe", "animate", "set", "animatetransform"})


@dataclass(frozen=True)
class Image:
    """A logo or an icon, held in memory. `media_type` is one of image/png, image/jpeg, image/webp and image/svg+xml."""

    body: bytes
    media_type: str

    @cached_property
    def version(self) -> str:
        """Another text for another image, so that browsers may keep each."""
        return hashlib.sha256(self.body).hexdigest()[:16]


@dataclass(frozen=True)
class Brand:
    """What pages, emails, invoices and the description of the API say of whose they are. Empty addresses are not shown."""

    name: str
    logo: Image | None = None
    icon: Image | None = None
    accent: Accent | None = None
    """None is the product's own colour."""
    support_url: str = ""
    terms_url: str = ""
    privacy_url: str = ""
    paper_logo: Image | None = None
    """What invoices are issued with (`accounts.installation.paper_logo`)."""

    @property
    def version(self) -> str:
        """Another text where anything of it is another."""
        shown = (found and found.version for found in (self.logo, self.icon, self.accent))
        return repr((self.name, *shown, self.links))

    @property
    def links(self) -> list[tuple[str, str]]:
        """(words, address) of what stands at the end of each page."""
        named = (("Support", self.support_url), ("Terms", self.terms_url), ("Privacy", self.privacy_url))
        return [(words, address) for words, address in named if address]


def name(text: str) -> str:
    """The name of the installation: one line."""
    if len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise ValueError(f"must be one line of at most {MAX_NAME_LENGTH} characters.")
    return text


def link(text: str) -> str:
    """An address that people may follow from any page."""
    address = urlsplit(text)
    if not (address.scheme == "https" and address.hostname) and not (
        address.scheme == "mailto" and "@" in address.path
    ):
        raise ValueError(f"is “{text}”: it must begin with https://, or be mailto: with an email address.")
    return text


def image(path: str) -> Image:
    """The image in a file: PNG, JPEG, WebP, or an SVG in which nothing runs and which loads nothing."""
    try:
        with Path(path).expanduser().open("rb") as file:
            body = file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"is “{path}”: that file cannot be read ({reason}).") from None
    if len(body) > MAX_IMAGE_BYTES:
        raise ValueError(f"is “{path}”: that file is larger than {MAX_IMAGE_BYTES // 1024} KiB.")
    media_type = _media_type(body)
    if media_type is None:
        raise ValueError(f"is “{path}”: that file is no PNG, JPEG, WebP or SVG.")
    if media_type == SVG and (what := _active_part(body)):
        raise ValueError(f"is “{path}”: that SVG has {what}. Export it as a plain image.")
    return Image(body, media_type)


def _media_type(body: bytes) -> str | None:
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if RIFF.match(body):
        return "image/webp"
    return SVG if b"<svg" in body else None


def _active_part(body: bytes) -> str:
    """What in an SVG runs or loads something, in words; empty if nothing does."""
    if b"<!DOCTYPE" in body.upper() or b"<!ENTITY" in body.upper():
        return "a document type, which may define entities"
    try:
        root = ET.fromstring(body)  # noqa: S314 - without a document type there is no entity to expand
    except ET.ParseError:
        return "XML that cannot be read"
    return next(filter(None, map(_active_part_of, root.iter())), "")


def _active_part_of(element: ET.Element) -> str:
    tag = str(element.tag).rpartition("}")[2].lower()
    if tag in ACTIVE_TAGS:
        return f"an element <{tag}>"
    if tag == "style" and re.search(r"@import|url\((?!\s*['\"]?#)", element.text or "", re.IGNORECASE):
        return "styles that load something"
    for attribute, value in element.attrib.items():
        key = attribute.rpartition("}")[2].lower()
        if key.startswith("on") or (key in ("href", "src") and not value.startswith(("#", "data:image/"))):
            return f"an attribute {key}"
        if "url(" in value and "url(#" not in value:
            return "an address that is loaded"
    return ""
