"""What a browser may load for our pages: files of this site, and nothing inline."""

from collections.abc import Sequence

Policy = dict[str, dict[str, list[str]]]


def policy(*, form_targets: Sequence[str]) -> Policy:
    """The Content-Security-Policy. `form_targets`: origins to which a form may lead, beside our own, as signing in does."""
    return {
        "DIRECTIVES": {
            "default-src": ["'none'"],
            "script-src": ["'self'"],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:"],
            "font-src": ["'self'"],
            "connect-src": ["'self'"],
            "form-action": ["'self'", *form_targets],
            "base-uri": ["'none'"],
            "frame-ancestors": ["'none'"],
        }
    }
