"""Emails: written once as plain text, from which the HTML part is made, so that both say the same.

Names of people and organizations are somebody's free text. In an email that we send to a third person they are words and
nothing else: mail programs make links of whatever looks like an address, and `unlinked` takes the looks away.
"""

import logging
import re
import smtplib
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.installation.site import ADDRESS

logger = logging.getLogger(__name__)
NO_WIDTH: Final = "\u200b"
# A dot before a letter, a colon before a slash, a slash or an at sign within a word: what makes a text an address.
MAKES_A_LINK: Final = re.compile(r"(?<=\S)(?:[.。．｡](?=[^\W\d_])|:(?=//)|[/@](?=\S))")
HIDDEN: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # turns that make a text read as another one


def compose(*, subject: str, text: str, to: str, action: str = "Continue") -> EmailMultiAlternatives:
    """A message with both parts. A paragraph that is a link to this site alone becomes a button called `action`.

    Nothing else in it is a link, whoever wrote the text; the subject is one line.
    """
    paragraphs = [_paragraph(text, to) for text in re.split(r"\n\s*\n", text.strip())]
    subject = " ".join(subject.split())
    message = EmailMultiAlternatives(
        subject, "\n\n".join(str(found["text"]) for found in paragraphs) + "\n", settings.DEFAULT_FROM_EMAIL, [to]
    )
    html = render_to_string(
        "emails/message.html", {"subject": subject, "paragraphs": paragraphs, "action": action, "to": to}
    )
    message.attach_alternative(html, "text/html")
    return message


def send(template: str, *, to: str, action: str, context: Mapping[str, Any]) -> bool:
    """Send `emails/<template>.txt`, whose first line is the subject. False, and a line in the log, if no server took it."""
    subject, _, text = render_to_string(f"emails/{template}.txt", dict(context)).strip().partition("\n")
    try:
        compose(subject=subject.strip(), text=text, to=to, action=action).send()
    except (smtplib.SMTPException, OSError) as error:
        # The reason, without a traceback: its variables hold the recipient and the text.
        logger.error("An email (%s) could not be sent: %s", template, type(error).__name__)  # noqa: TRY400
        return False
    return True


def unlinked(text: str, *, but: str = "") -> str:
    """The text as it reads, with nothing in it that a mail program takes for an address, except ours and the email `but`."""
    own = rf"{re.escape(settings.SITE_ADDRESS)}/\S*"
    kept = rf"({own}|(?<![\w.@+-]){re.escape(but)}(?![\w@-]|\.\w))" if but else f"({own})"
    pieces = re.split(kept, HIDDEN.sub("", text))
    return "".join(
        piece if number % 2 else MAKES_A_LINK.sub(lambda found: f"{found.group()}{NO_WIDTH}", piece)
        for number, piece in enumerate(pieces)
    )


def _paragraph(text: str, to: str) -> dict[str, str | bool]:
    text = text.strip()
    if ADDRESS.fullmatch(text) and text.startswith(f"{settings.SITE_ADDRESS}/"):
        return {"text": text, "is_address": True}
    return {"text": unlinked(text, but=to), "is_address": False}
