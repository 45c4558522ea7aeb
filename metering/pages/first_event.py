"""What an organization without usage is told to run."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from accounts.installation.site import address_of

COMMAND = """\
curl {address} \\
  -H "Authorization: Bearer $API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"id": "first-event", "timestamp": "{timestamp}", "usage_type": "completions",
       "model": "gpt-4o", "input_tokens": 120, "output_tokens": 30}}'"""


def first_event_command(now: datetime) -> str:
    """A command that sends one event to this installation; the reader puts in their own key.

    Empty where keys do not report their own usage: then there is nothing to run.
    """
    if not settings.API_KEYS_MAY_REPORT:
        return ""
    return COMMAND.format(
        address=address_of(reverse("metering_api:usage_events")), timestamp=f"{now:%Y-%m-%dT%H:%M:%SZ}"
    )
