"""The frame for pages whose views are not ours."""

from typing import Any

from django import template

from accounts.frame import Frame, user_frame

register = template.Library()


@register.simple_tag(takes_context=True)
def security_frame(context: dict[str, Any]) -> Frame:
    """The frame of a page of user settings, Security."""
    return user_frame(context["request"].user, page="accounts:security")
