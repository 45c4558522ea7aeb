"""Every parameter that a page reads out of its address, and what its values name: one table for all pages.

`tests/accounts/pages/test_parameter_walk.py` fails for a page that reads a parameter which is not here: nothing is added without
saying whether it takes ids.
"""

from typing import Final

PLAIN: Final = ""
"""A parameter whose values name nothing that is stored: a month, a sort order, a page."""
WORDS: Final = "words"
"""Words to search for, which must not find what the page does not show; an id is tried as well."""

FILTERS: Final = {
    "model": "model",
    "user": "user",
    "api_key": "api_key",
    "organization": "organization",
    "usage_type": PLAIN,
    "service_tier": PLAIN,
    "provider": PLAIN,
    "project": "used_project",
    "attribute": "value",
}
VIEW: Final = {
    **dict.fromkeys(
        ("month", "day", "hour", "group", "group_by", "rank", "chart", "tokens", "list", "page", "grant"), PLAIN
    ),
    "q": WORDS,
    **FILTERS,
}
EXPORT: Final = {**VIEW, **dict.fromkeys(("start", "end", "last"), PLAIN)}
AUDIT: Final = {**dict.fromkeys(("event", "since", "until", "before"), PLAIN), "text": WORDS}
STAFF_PRICE: Final = dict.fromkeys(
    (
        "model",
        "line_item",
        "organization",
        "usage_type",
        "service_tier",
        "batch",
        "context_band",
        "effective_date",
        "amount",
        "per",
    ),
    PLAIN,  # a form with these values in it, which staff send
)
ORGANIZATION: Final = "settings/organization/<slug:slug>/"

# address pattern → its query parameters; patterns without a row read none
QUERY_PARAMETERS: Final[dict[str, dict[str, str]]] = {
    f"{ORGANIZATION}usage/activity/": VIEW,
    f"{ORGANIZATION}usage/cost/": VIEW,
    f"{ORGANIZATION}usage/activity/export/": EXPORT,
    f"{ORGANIZATION}usage/cost/export/": EXPORT,
    f"{ORGANIZATION}usage/activity/export.csv": EXPORT,
    f"{ORGANIZATION}usage/activity/export.json": EXPORT,
    f"{ORGANIZATION}usage/cost/export.csv": EXPORT,
    f"{ORGANIZATION}usage/cost/export.json": EXPORT,
    f"{ORGANIZATION}billing/export/": dict.fromkeys(("dataset", "format", "start", "last"), PLAIN),
    f"{ORGANIZATION}billing/export/focus": dict.fromkeys(("dataset", "format", "month", "start", "end", "last"), PLAIN),
    "v1/organization/focus": dict.fromkeys(("dataset", "format", "month", "start", "end", "last"), PLAIN),
    f"{ORGANIZATION}usage/why/": {"day": PLAIN, "user": "user", "api_key": "api_key"},
    f"{ORGANIZATION}keys/<slug:public_id>/": {"day": PLAIN},
    f"{ORGANIZATION}keys/<slug:public_id>/attribution/": {"changed": PLAIN},
    f"{ORGANIZATION}projects/": {"archived": "project", "q": WORDS, "page": PLAIN, "old": PLAIN},
    f"{ORGANIZATION}members/": {"changed": "user", "q": WORDS, "page": PLAIN, "invited": PLAIN},
    f"{ORGANIZATION}keys/": {"page": PLAIN},
    f"{ORGANIZATION}admin-keys/": {"page": PLAIN, "revoked": PLAIN},
    f"{ORGANIZATION}provisioning/": {"page": PLAIN, "revoked": PLAIN, "groups": PLAIN},
    f"{ORGANIZATION}billing/": {"grant": PLAIN, "webhook": PLAIN},
    f"{ORGANIZATION}billing/budgets/new/": {"about": PLAIN, "q": WORDS},
    f"{ORGANIZATION}audit/": AUDIT,
    f"{ORGANIZATION}audit/export.csv": AUDIT,
    "settings/api-keys/": {"switched": "api_key", "key": "api_key", "q": WORDS, "page": PLAIN, "revoked": PLAIN},
    "settings/operator-tokens/": {"page": PLAIN, "revoked": PLAIN},
    "settings/organizations/": {"q": WORDS, "page": PLAIN},
    "settings/profile/default-organization/": {"organization": "organization"},
    "settings/customers/": {"q": PLAIN, "page": PLAIN},
    "settings/users/": {"q": PLAIN, "after": PLAIN},
    "settings/prices/": {"q": PLAIN, "page": PLAIN},
    "settings/prices/unpriced/": {"page": PLAIN},
    "settings/prices/change/": STAFF_PRICE,
    "settings/prices/changes/<int:change_id>/": {"page": PLAIN},
    "settings/credit/": {"page": PLAIN},
    "settings/news/": {"webhook": PLAIN},
    "settings/invoices/": dict.fromkeys(("page", "failed", "held", "balance"), PLAIN),
    "settings/ingestion/": {"format": PLAIN, "grain": PLAIN, "key": PLAIN},
}

# part of an address → what it names; the longest that fits counts
PATH_PARAMETERS: Final[dict[str, str]] = {
    "<slug:slug>": "slug",
    "settings/api-keys/<slug:public_id>": "own_key",
    "keys/<slug:public_id>": "api_key",
    "keys/requests/<slug:public_id>": "user",
    "members/<slug:public_id>": "user",
    "projects/<slug:public_id>": "project",
    "admin-keys/<slug:public_id>": "admin_key",
    "provisioning/<slug:public_id>": "scim_token",
    "provisioning/groups/<slug:public_id>": "scim_group",
    "attributes/<slug:name>": "attribute",
    "invitations/<slug:public_id>": "invitation",
    "webhooks/<int:endpoint_id>": "endpoint",
    "messages/<int:delivery_id>": "message",
    "budgets/<int:budget_id>": "budget",
    "billing/invoices/<int:invoice_id>": "invoice",
}
# Whoever has the secret of an invitation is let in, anybody sees a logo, and a token of a program and staff see all of these.
OPEN_TO_THEIR_READERS: Final = (
    "<slug:token>",
    "<slug:digest>",
    "<int:change_id>",
    "<int:grant_id>",
    "settings/invoices/<int:invoice_id>",
    "settings/balances/<slug:slug>",
    "<str:public_id>",
    "<str:external_id>",
    "<str:key_id>",
    "settings/operator-tokens/<slug:public_id>",
    "settings/users/<slug:public_id>",
    "<slug:step>",
    "<path:path>",
    "<str:number>",
)
