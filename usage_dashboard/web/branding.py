"""The operator's logo, icon and colour, which pages load from here. Each address has a version, so browsers may keep them.

The logos of documents are what they were when these were issued.
"""

from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.installation.brand import Brand, Image
from billing.document_parts import DocumentLogo
from usage_dashboard.web.middleware import KEPT_BY_ANYBODY

# An SVG that is opened by itself is a document of this origin: it runs nothing and loads nothing.
NOTHING_RUNS: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
STYLES: Final = """\
@layer tokens, base, components, pages;
@layer tokens {{
  :root {{
    --accent: light-dark({accent.light}, {accent.dark});
    --accent-ground: light-dark({accent.light_ground}, {accent.dark_ground});
  }}
}}
"""


@require_safe
def logo(_request: HttpRequest) -> HttpResponse:
    """The operator's logo."""
    return _image(_brand().logo)


@require_safe
def icon(_request: HttpRequest) -> HttpResponse:
    """The operator's icon for tabs and bookmarks."""
    return _image(_brand().icon)


@require_safe
def document_logo(_request: HttpRequest, digest: str) -> HttpResponse:
    """A logo that documents here were issued with, for whoever knows its digest."""
    found = DocumentLogo.objects.filter(digest=digest).first()
    return _image(Image(bytes(found.body), "image/png") if found else None)


@require_safe
def styles(_request: HttpRequest) -> HttpResponse:
    """The operator's colour, in place of the product's."""
    accent = _brand().accent
    if accent is None:
        raise Http404
    return _kept(HttpResponse(STYLES.format(accent=accent), content_type="text/css; charset=utf-8"))


def _brand() -> Brand:
    found: Brand = settings.BRAND
    return found


def _image(image: Image | None) -> HttpResponse:
    if image is None:
        raise Http404
    response = _kept(HttpResponse(image.body, content_type=image.media_type))
    response["Content-Security-Policy"] = NOTHING_RUNS
    return response


def _kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = KEPT_BY_ANYBODY
    response["X-Content-Type-Options"] = "nosniff"
    return response
