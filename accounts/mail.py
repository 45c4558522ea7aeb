"""E-mails: written once as plain text, from which the HTML part is made, so that both say the same."""

import logging
import re
import smtplib
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)
ADDRESS_ALONE: Final = re.compile(r"https?://\S+")


def compose(*, subject: str, text: str, to: str, action: str = "Continue") -> EmailMultiAlternatives:
    """A message with both parts. A paragraph that is an address alone becomes a button called `action` in the HTML."""
    paragraphs = [
        {"text": paragraph, "is_address": ADDRESS_ALONE.fullmatch(paragraph) is not None}
        for paragraph in re.split(r"\n\s*\n", text.strip())
    ]
    message = EmailMultiAlternatives(subject, f"{text.strip()}\n", settings.DEFAULT_FROM_EMAIL, [to])
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
        logger.error("An e-mail (%s) could not be sent: %s", template, type(error).__name__)  # noqa: TRY400
        return False
    return True
