"""Where in the lists of a page its reader is, for the addresses of forms and links that lead away from it and back."""

from typing import Any

from django import template

from accounts.pages.lists import place_of

register = template.Library()


@register.simple_tag(takes_context=True)
def place(context: Any) -> str:
    """`{% url "apikeys:keys" %}{% place %}` → '/settings/keys/?page=3', also inside an include with `only`."""
    return place_of(context.request.GET)
