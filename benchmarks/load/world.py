"""The organization whose usage is measured: 400 users, 1,000 keys with realistic skew, 10 models."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from django.db import connection

from accounts.changes import routing_change
from accounts.models import DefaultOrganizationChange, Organization, User
from accounts.organizations import organizations
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import APIKey, TrackingChange
from metering.intake import skus
from metering.measures import UsageType

NUM_USERS: Final = 400
NUM_KEYS: Final = 1_000
MODELS: Final = (
    *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "o3"),
    *("o4-mini", "claude-sonnet-4-5", "claude-opus-4-1", "gemini-2.5-pro", "gemini-2.5-flash"),
)
FOUNDED_AT: Final = datetime(2024, 6, 1, tzinfo=UTC)
KEY_SKEW: Final = 0.8
"""The key of rank r has a share of usage proportional to r^-0.8: the first of 1,000 has 6%, the first 100 half of it."""
MODEL_SKEW: Final = 0.7


@dataclass(frozen=True, slots=True)
class Key:
    """What a row of usage needs to know of its key."""

    id: int
    public_id: str
    user_id: int


@dataclass(frozen=True, slots=True)
class World:
    """An organization, its keys and models in order of their share of usage, and a gateway's token."""

    organization: Organization
    owner: User
    keys: Sequence[Key]
    sku_ids: Sequence[int]
    token: str


def make_world(name: str) -> World:
    """A new organization of its own people, keys and token; from the second of a name on, with a number behind it."""
    number = Organization.objects.filter(slug__regex=rf"^{name}(-\d+)?$").count() + 1
    slug = name if number == 1 else f"{name}-{number}"
    with routing_change():
        owner = organizations.create_user(email=f"owner@{slug}.test", now=FOUNDED_AT, name="Olga Owner")
        organization = organizations.create_organization(name=slug.title(), slug=slug, owner=owner, now=FOUNDED_AT)
        people = User.objects.bulk_create(
            User(email=f"user-{number}@{slug}.test", name=f"User {number}", default_organization=organization)
            for number in range(NUM_USERS)
        )
        for person in people:
            organizations.add_member(organization=organization, user=person, role="reader", now=FOUNDED_AT)
        DefaultOrganizationChange.objects.bulk_create(
            DefaultOrganizationChange(user=person, organization=organization, effective_at=FOUNDED_AT)
            for person in people
        )
        api_keys = _make_keys(people)
        _, token = keys.create_ingest_token(name=slug)
    wanted = [skus.SkuKey(model, int(UsageType.COMPLETIONS)) for model in MODELS]
    ids = skus.add(wanted)
    made = [Key(api_key.id, api_key.public_id, api_key.user_id) for api_key in api_keys]
    _analyze()
    return World(organization, owner, made, [ids[key] for key in wanted], token)


def shares(number: int, skew: float) -> list[float]:
    """Cumulative shares of `number` ranks, for random.choices and for SQL."""
    totals = list(accumulate((rank + 1) ** -skew for rank in range(number)))
    return [total / totals[-1] for total in totals]


def _make_keys(people: list[User]) -> list[APIKey]:
    """1,000 keys, all tracked; the first 400 users have one each, and some of them many more."""
    rng = random.Random(1)
    owners = people + rng.choices(people, cum_weights=shares(NUM_USERS, KEY_SKEW), k=NUM_KEYS - NUM_USERS)
    texts = [secrets.make_api_key_secret() for _ in owners]
    api_keys = APIKey.objects.bulk_create(
        APIKey(
            user=person,
            name=f"key {number}",
            digest=secrets.digest(text),
            redacted=secrets.redact(text),
            tracked=True,
            created_at=FOUNDED_AT,
        )
        for number, (person, text) in enumerate(zip(owners, texts, strict=True))
    )
    TrackingChange.objects.bulk_create(
        TrackingChange(api_key=api_key, tracked=True, effective_at=FOUNDED_AT) for api_key in api_keys
    )
    return api_keys


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
