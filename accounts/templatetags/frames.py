"""The frame for pages whose views are not ours."""

from typing import Any

from django import template

from accounts.pages.frame import Frame, user_frame

register = template.Library()
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@register.simple_tag(takes_context=True)
def security_frame(context: dict[str, Any]) -> Frame:
    """The frame of a page of user settings, Security."""
    return user_frame(context["request"].user, page="accounts:security")


@register.filter
def browser_name(user_agent: str) -> str:
    """'Firefox on Linux', from what the browser says of itself; its own words where they are unknown."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return " on ".join(filter(None, (browser, system))) or user_agent[:60] or "Unknown browser"
