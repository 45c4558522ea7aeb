"""Words of the description, which are Markdown to tools, as HTML."""

import re
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

CODE: Final = re.compile(r"`([^`]+)`")


def marked(text: str) -> SafeString:
    """With what stands between backticks as code."""
    pieces = CODE.split(text)
    plain, codes = pieces[::2], [*pieces[1::2], ""]
    return format_html_join("", "{}{}", ((one, _code(code)) for one, code in zip(plain, codes, strict=True)))


def _code(text: str) -> SafeString | str:
    return format_html("<code>{}</code>", text) if text else ""
