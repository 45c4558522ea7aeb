"""`accounts.pages.words` for templates."""

from django import template

from accounts.pages import words

register = template.Library()


@register.filter
def counted(number: int, noun: str) -> str:
    """`{{ 3|counted:"key" }}` → '3 keys'."""
    return words.counted(number, noun)
