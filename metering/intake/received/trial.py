"""A test event: sent as its key would send it, through the checks, the routing and the storage that every event goes through."""

import json
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Organization
from accounts.public_ids import random_lower
from apikeys import directory
from apikeys.models import APIKey
from metering.ingestion_models import Source
from metering.intake import api, ingest
from metering.intake.copy_rows import Outcome
from metering.intake.formats import native
from metering.intake.formats.events import Refusal
from metering.intake.received import received
from metering.models import UsageEvent

NOT_OPEN = Refusal("unauthenticated", "This key opens nothing: it is revoked or has expired.")


@dataclass(frozen=True, slots=True)
class Trial:
    """What was sent, what was answered, and where the event is stored, if it is."""

    event_id: str
    at: datetime
    answer: str
    outcome: Outcome
    organization: Organization | None


def send(api_key: APIKey, *, model: str, input_tokens: int, output_tokens: int, now: datetime) -> Trial:
    """Send one event of the key, of now."""
    event = {
        "id": f"test-{random_lower(16)}",
        "timestamp": now.isoformat(),
        "usage_type": "completions",
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
    digest = bytes(api_key.digest)
    events = native.decode(json.dumps(event).encode(), lines=False)
    try:
        outcomes = ingest.store(events, secret_digest=digest)
    except ingest.UnauthenticatedError:
        outcomes = [NOT_OPEN]
    received.note(
        Source.TEST, directory.patiently(lambda: directory.remembered().caller(digest)), outcomes, events=events
    )
    stored = UsageEvent.objects.filter(occurred_at=now, api_key_id=api_key.pk).values_list("organization_id").first()
    return Trial(
        event_id=str(event["id"]),
        at=now,
        answer=api.encoded(outcomes).decode(),
        outcome=outcomes[0],
        organization=Organization.objects.get(pk=stored[0]) if stored else None,
    )
