"""Whose installation this is, for templates."""

from django import template
from django.conf import settings

from accounts.installation.brand import Brand

register = template.Library()


@register.simple_tag
def brand() -> Brand:
    """`{% brand as brand %}`: name, logo, icon, accent and links."""
    found: Brand = settings.BRAND
    return found


@register.simple_tag
def brand_name() -> str:
    """What the installation is called."""
    return brand().name
