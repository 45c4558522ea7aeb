"""Thousands of customers, made inside PostgreSQL in seconds: with people, keys, budgets, prices, webhooks, costs and invoices.

Customer n has the address `customer-n`, an owner and a reader with half of its keys each. Of each ten, the first pays for
the next two, the third has a price of its own, the fourth a credit grant, the fifth a webhook, the ninth is somebody's
personal organization; all have a budget, every second one a hard one.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from accounts.installation import encryption
from accounts.models import User
from apikeys.routing import ATTRIBUTED
from benchmarks.load.generate import next_batch_id
from billing.alerts import WEBHOOK_SECRETS
from billing.prices import book
from billing.prices.rating import ALL_USAGE, cost_of
from metering.intake import skus
from metering.measures import MEASURES, UsageType
from metering.models import Model
from metering.rollups import partitions

MODELS: Final = ("gpt-4o", "gpt-4o-mini")
PEOPLE: Final = ("owner", "reader")
FOUNDED_AT: Final = datetime(2024, 6, 1, tzinfo=UTC)
BATCH: Final = 1_000
_NUMBERS: Final = "generate_series(%(first)s, %(last)s) AS n"
_ORGANIZATION: Final = "accounts_organization AS organization ON organization.slug = 'customer-' || n"
_PERSON: Final = "accounts_user AS person ON person.public_id = 'user_' || role || n"
_KEYS: Final = "generate_series(1, %(keys)s) AS k"

# One after the other: each finds what those before it made by the numbers of the customers.
MAKE_SQL: Final = (
    f"""
    INSERT INTO accounts_organization (public_id, name, slug, is_personal, usage_visibility, created_at)
    SELECT 'org_' || n, 'Customer ' || n, 'customer-' || n, n %% 10 = 9, 'any_role', %(founded)s FROM {_NUMBERS}
    """,
    f"""
    UPDATE accounts_organization AS organization SET parent_id = payer.id
    FROM {_NUMBERS} JOIN accounts_organization AS payer ON payer.slug = 'customer-' || (n / 10 * 10 + 1)
    WHERE organization.slug = 'customer-' || n AND n %% 10 IN (2, 3)
    """,
    f"""
    INSERT INTO accounts_user (
        password, is_superuser, public_id, email, name, default_organization_id, is_active, is_staff, created_at
    )
    SELECT '!', false, 'user_' || role || n, role || n || '@customers.test', initcap(role) || ' ' || n, organization.id,
        true, false, %(founded)s
    FROM {_NUMBERS} CROSS JOIN unnest(%(people)s) AS role JOIN {_ORGANIZATION}
    """,
    f"""
    INSERT INTO account_emailaddress (email, verified, "primary", user_id)
    SELECT person.email, true, true, person.id
    FROM {_NUMBERS} CROSS JOIN unnest(%(people)s) AS role JOIN {_PERSON}
    """,
    f"""
    INSERT INTO accounts_membership (organization_id, user_id, role, joined_at)
    SELECT organization.id, person.id, role, %(founded)s
    FROM {_NUMBERS} CROSS JOIN unnest(%(people)s) AS role JOIN {_ORGANIZATION} JOIN {_PERSON}
    """,
    f"""
    INSERT INTO accounts_defaultorganizationchange (user_id, organization_id, effective_at)
    SELECT person.id, person.default_organization_id, %(founded)s
    FROM {_NUMBERS} CROSS JOIN unnest(%(people)s) AS role JOIN {_PERSON}
    """,
    f"""
    INSERT INTO accounts_project (public_id, organization_id, name, is_default, created_at)
    SELECT 'proj_' || n, organization.id, 'Search', false, %(founded)s FROM {_NUMBERS} JOIN {_ORGANIZATION}
    """,
    f"""
    INSERT INTO accounts_attribute (organization_id, name, title, declared_at)
    SELECT organization.id, 'team', 'Team', %(founded)s FROM {_NUMBERS} JOIN {_ORGANIZATION}
    """,
    f"""
    INSERT INTO apikeys_apikey (public_id, user_id, name, digest, redacted, tracked, created_at)
    SELECT 'key_' || n || '_' || k, person.id, 'key ' || k, sha256(convert_to('sk-' || n || '_' || k, 'UTF8')), 'sk-...',
        true, %(founded)s
    FROM {_NUMBERS} CROSS JOIN {_KEYS} CROSS JOIN LATERAL (SELECT (%(people)s)[1 + k %% 2]) AS owner (role) JOIN {_PERSON}
    """,
    f"""
    INSERT INTO apikeys_trackingchange (api_key_id, tracked, effective_at)
    SELECT api_key.id, true, %(founded)s
    FROM {_NUMBERS} CROSS JOIN {_KEYS} JOIN apikeys_apikey AS api_key ON api_key.public_id = 'key_' || n || '_' || k
    """,
    f"""
    INSERT INTO billing_budget (organization_id, kind, target_id, value, amount, thresholds, is_hard)
    SELECT organization.id, 1, 0, '', 1000, '{{50,80,100}}', n %% 2 = 0 FROM {_NUMBERS} JOIN {_ORGANIZATION}
    """,
    f"""
    INSERT INTO billing_price (
        organization_id, model_id, line_item, context_band, effective_date, unit_price, source, created_at
    )
    SELECT organization.id, model.id, 1, 0, '2024-06-01', 0.000002, 'agreed', %(founded)s
    FROM {_NUMBERS} JOIN {_ORGANIZATION} JOIN metering_model AS model ON model.name = %(model)s WHERE n %% 10 = 3
    """,
    f"""
    INSERT INTO billing_creditgrant (organization_id, name, amount, category, priority, effective_at, created_at)
    SELECT organization.id, 'Welcome', 5, 'promotional', 50, %(founded)s, %(founded)s
    FROM {_NUMBERS} JOIN {_ORGANIZATION} WHERE n %% 10 = 4
    """,
    f"""
    INSERT INTO billing_webhookendpoint (
        organization_id, url, format, event_types, encrypted_secret, created_at, num_failures, last_error, is_quick
    )
    SELECT organization.id, 'https://' || n || '.customers.test/hook', 'standard', '{{}}', %(secret)s, %(founded)s, 0, '', true
    FROM {_NUMBERS} JOIN {_ORGANIZATION} WHERE n %% 10 = 5
    """,
)
MEASURED: Final = {"num_model_requests": "20", "input_tokens": "40000 + n %% 100", "output_tokens": "10000"}
USAGE_SQL: Final = f"""
INSERT INTO metering_organizationdailyusage (organization_id, day, sku_id, {", ".join(MEASURES)})
SELECT organization.id, day::date, sku_id, {", ".join(MEASURED.get(measure, "0") for measure in MEASURES)}
FROM {_NUMBERS} JOIN {_ORGANIZATION}
CROSS JOIN generate_series(%(first_day)s::timestamp, %(last_day)s::timestamp, '1 day') AS day
CROSS JOIN unnest(%(skus)s) AS sku_id
ORDER BY 1, 2, 3
"""
# What the last day costs is rated; all days are alike, and so are their costs.
COSTS_SQL: Final = f"""
WITH rated AS ({cost_of(ALL_USAGE, "usage.organization_id = ANY (%(organizations)s) AND usage.day = %(last_day)s")})
INSERT INTO billing_dailycost (organization_id, day, sku_id, line_item, quantity, unit_price, amount, price_id)
SELECT organization_id, each_day::date, sku_id, line_item, quantity, unit_price, amount, price_id
FROM rated CROSS JOIN generate_series(%(first_day)s::timestamp, %(last_day)s::timestamp, '1 day') AS each_day
ORDER BY 1, 2, 3, 4
"""
# Each key once, those of one customer beside each other as a gateway of its own would send them.
EVENTS_SQL: Final = f"""
WITH keys AS (
    SELECT row_number() OVER (ORDER BY api_key.id) - 1 AS place, api_key.id, api_key.user_id, person.default_organization_id
    FROM {_NUMBERS} CROSS JOIN {_KEYS} JOIN apikeys_apikey AS api_key ON api_key.public_id = 'key_' || n || '_' || k
    JOIN accounts_user AS person ON person.id = api_key.user_id
), batches AS (
    INSERT INTO metering_ingestbatch (id, first_occurred_at, last_occurred_at, num_events, received_at)
    SELECT %(batch)s + place / {BATCH}, %(at)s, %(at)s, count(*), clock_timestamp() FROM keys GROUP BY place / {BATCH}
)
INSERT INTO metering_usageevent (
    organization_id, occurred_at, event_id, batch_id, user_id, api_key_id, sku_id, routing, attribution_id,
    num_model_requests, input_tokens, output_tokens
)
SELECT default_organization_id, %(at)s, gen_random_uuid(), %(batch)s + place / {BATCH}, user_id, id,
    (%(skus)s)[1 + id %% 2], {int(ATTRIBUTED)}, 0, 1, 2000 + id %% 100, 500
FROM keys ORDER BY place
"""
TAKE_IDS_SQL: Final = """
SELECT setval(pg_get_serial_sequence('metering_ingestbatch', 'id'), max(id)) FROM metering_ingestbatch
"""


@dataclass(frozen=True, slots=True)
class Customers:
    """The customers with the numbers from `first` to `last`, with `keys` keys each."""

    first: int
    last: int
    keys: int = 20

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def parameters(self) -> dict[str, Any]:
        return {"first": self.first, "last": self.last, "keys": self.keys}

    def owner(self, number: int) -> User:
        return User.objects.get(public_id=f"user_owner{number}")


def secret_of(number: int, key: int) -> str:
    """The secret of a key of a customer; both are counted from 1."""
    return f"sk-{number}_{key}"


def next_number() -> int:
    """The first number that no customer has had yet: what earlier figures have made stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(substr(slug, 10)::integer), 0) + 1 FROM accounts_organization WHERE slug ~ '^customer-[0-9]+$'"
        )
        (found,) = cursor.fetchone()
    return int(found)


def make(customers: Customers, *, first_day: date, last_day: date) -> Customers:
    """Make these customers, with what they used and what that costs on each of the days."""
    sku_ids = _price_models()
    values = {
        **customers.parameters,
        "founded": FOUNDED_AT,
        "people": list(PEOPLE),
        "model": MODELS[0],
        "secret": encryption.encrypt("whsec_bench", purpose=WEBHOOK_SECRETS),
        "first_day": first_day,
        "last_day": last_day,
        "skus": sku_ids,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (*MAKE_SQL, USAGE_SQL):
            cursor.execute(statement, values)
        cursor.execute(f"SELECT organization.id FROM {_NUMBERS} JOIN {_ORGANIZATION}", values)
        cursor.execute(COSTS_SQL, {**values, "organizations": [row for (row,) in cursor.fetchall()]})
    return customers


def use_once(customers: Customers, at: datetime) -> int:
    """An event of each of their keys at that moment, in batches that wait to be rolled up; returns how many."""
    partitions.ensure([at.date()])
    values = {**customers.parameters, "at": at, "batch": next_batch_id(), "skus": _price_models()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EVENTS_SQL, values)
        num_events = cursor.rowcount
        cursor.execute(TAKE_IDS_SQL)
    return int(num_events)


def settle() -> None:
    """With statistics, as autovacuum would leave it after a while."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _price_models() -> list[int]:
    """The SKUs of MODELS, which have the prices of the default list."""
    wanted = [skus.SkuKey(model, int(UsageType.COMPLETIONS)) for model in MODELS]
    ids = skus.add(wanted)
    book.add((model, book.look_up(model.name)) for model in Model.objects.filter(name__in=MODELS))
    return [ids[key] for key in wanted]


def days_before(today: date, number: int) -> tuple[date, date]:
    """The first and the last of so many days that end with `today`."""
    return today - timedelta(days=number - 1), today
