"""What the demo's usage is for: projects, teams and features by key, and the end customers that events name."""

import random
from collections.abc import Mapping
from datetime import datetime
from itertools import accumulate
from typing import Final

import msgspec

from accounts.models import Organization
from accounts.projects.attributes import declare
from accounts.projects.projects import make_project
from apikeys.attribution.attribution import set_attribution
from apikeys.models import APIKey
from metering.intake.formats.events import NO_ATTRIBUTES

# names and titles of attributes that each organization declares
DECLARED: Final = {
    "acme": (("team", "Team"), ("feature", "Feature"), ("end_customer", "End customer")),
    "acme-labs": (("team", "Team"), ("end_customer", "End customer")),
    "acme-japan": (("team", "Team"), ("end_customer", "End customer")),
}
Groups = Mapping[str, tuple[str, ...]]
# organization → project → names of its keys
PROJECTS: Final[Mapping[str, Groups]] = {
    "acme": {
        "Search": ("search-prod", "search-index", "ranking-eval", "mobile-search", "archive-search"),
        "Customer support": ("support-bot", "call-center", "voice-replies", "subtitles", "integration-acme"),
        "Mobile app": ("mobile-app", "mobile-app-staging", "translation", "translation-batch"),
        "Documentation": ("docs-assistant", "docs-index", "release-notes"),
        "Risk": ("fraud-review", "fraud-screen"),
        "Marketing": ("marketing-images", "marketing-copy"),
    },
    "acme-labs": {
        "Agents": ("labs-agents", "labs-agents-dev", "labs-crawler"),
        "Evaluation": ("labs-evals", "labs-evals-batch", "labs-open-weights"),
    },
    "acme-japan": {"Support": ("japan-support", "japan-voice"), "Chat": ("japan-chat",)},
}
# organization → team → names of its keys; what no team has is “Not set”
TEAMS: Final[Mapping[str, Groups]] = {
    "acme": {
        "Discovery": ("search-prod", "search-index", "ranking-eval", "mobile-search", "docs-index"),
        "Care": ("support-bot", "call-center", "voice-replies", "integration-acme"),
        "Apps": ("mobile-app", "mobile-app-staging", "translation", "translation-batch"),
        "Platform": ("batch-nightly", "code-review", "release-notes", "docs-assistant"),
        "Data": ("analytics-sql", "analytics-tools", "dashboards", "fraud-review", "fraud-screen"),
        "Brand": ("marketing-images", "marketing-copy"),
    },
    "acme-labs": {"Research": ("labs-evals", "labs-evals-batch", "labs-vision"), "Agents": ("labs-agents",)},
    "acme-japan": {"Care": ("japan-support", "japan-voice"), "Apps": ("japan-chat",)},
}
FEATURES: Final[Mapping[str, Groups]] = {
    "acme": {
        "Answers": ("search-prod", "support-bot", "mobile-search"),
        "Index": ("search-index", "docs-index"),
        "Phone": ("call-center", "voice-replies"),
        "Translation": ("translation", "translation-batch"),
        "Fraud check": ("fraud-review", "fraud-screen"),
    }
}
VALUES: Final = {"team": TEAMS, "feature": FEATURES}
# Keys that serve Acme's own customers, and say whom; the others work for Acme itself
KEYS_WITH_CUSTOMERS: Final = frozenset(
    ("search-prod", "support-bot", "mobile-app", "translation", "call-center", "japan-chat", "japan-support")
)
CUSTOMERS: Final = (
    "Globex",
    "Initech",
    "Hooli",
    "Umbrella",
    "Stark Industries",
    "Wayne Enterprises",
    "Soylent",
    "Cyberdyne",
)
WEIGHTS: Final = tuple(accumulate((34, 21, 14, 10, 8, 6, 4, 3)))
# A sender that names something nobody has declared yet: the page of attributes offers it
KEY_WITH_UNDECLARED: Final = "ranking-eval"
UNDECLARED: Final = msgspec.Raw(b'{"experiment":"reranker-2"}')
_NAMED: Final = tuple(msgspec.Raw(msgspec.json.encode({"end_customer": name})) for name in CUSTOMERS)


def create(homes: Mapping[str, Organization], api_keys: Mapping[str, APIKey], now: datetime) -> None:
    """Makes projects, declares attributes and says of each key what it is for, from its first day on.

    To be called inside `routing_change`. `homes` are the organizations by address, `api_keys` the keys by name.
    """
    for slug, declared in DECLARED.items():
        for name, title in declared:
            declare(organization=homes[slug], name=name, title=title, now=now)
        projects = {name: make_project(organization=homes[slug], name=name) for name in PROJECTS[slug]}
        for key_name in sorted(_keys_with_purpose(slug)):
            set_attribution(
                api_key=api_keys[key_name],
                organization=homes[slug],
                project=projects.get(_having(PROJECTS[slug], key_name)),
                attributes={name: _having(groups[slug], key_name) for name, groups in VALUES.items() if slug in groups},
                now=api_keys[key_name].created_at,
            )


def attributes_of(rng: random.Random, key_name: str) -> msgspec.Raw:
    """What an event of the key says of itself, as events carry it."""
    if key_name in KEYS_WITH_CUSTOMERS:
        return rng.choices(_NAMED, cum_weights=WEIGHTS)[0]
    return UNDECLARED if key_name == KEY_WITH_UNDECLARED else NO_ATTRIBUTES


def _keys_with_purpose(slug: str) -> set[str]:
    chosen = (PROJECTS, TEAMS, FEATURES)
    return {key_name for by_slug in chosen for names in by_slug.get(slug, {}).values() for key_name in names}


def _having(groups: Groups, key_name: str) -> str:
    """The name of the group that has the key; empty if none has."""
    return next((group for group, names in groups.items() if key_name in names), "")
