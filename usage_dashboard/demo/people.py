"""Who is in the demo: Acme, a parent organization with two children, its people, their keys, its credit and prices."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from accounts.models import Membership, Organization, User
from accounts.organizations import organizations
from apikeys.keys import keys
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetKind
from billing.models import BillingDetails, CreditGrant, LineItem, Price
from metering.models import Model
from usage_dashboard.demo import purposes

PASSWORD: Final = "usage-dashboard-demo"  # noqa: S105 - printed by `make demo`, and for the demo only
STAFF: Final = "operator@northwind.test"
SIGN_INS: Final = {
    "owner@acme.test": "owner of Acme",
    "admin@acme.test": "admin of Acme",
    "reader@acme.test": "reader of Acme",
    "outsider@other.test": "another company's owner",
    STAFF: "staff, with the menu “Operator”",
}
ENTERPRISE: Final = "acme"
Role = Membership.Role

# name, address, organizations with the default one first
PEOPLE: Final = (
    ("Ana Lima", "owner@acme.test", ("acme", "acme-labs", "acme-japan")),
    ("Bo Sun", "admin@acme.test", ("acme", "acme-labs")),
    ("Rita Novak", "reader@acme.test", ("acme",)),
    ("Chidi Okafor", "chidi@acme.test", ("acme",)),
    ("Dana Weiss", "dana@acme.test", ("acme",)),
    ("Emil Novák", "emil@acme.test", ("acme",)),
    ("Fatima Haddad", "fatima@acme.test", ("acme",)),
    ("George Mensah", "george@acme.test", ("acme",)),
    ("Hana Kim", "hana@acme.test", ("acme",)),
    ("Igor Petrov", "igor@acme.test", ("acme",)),
    ("Julia Brandt", "julia@acme.test", ("acme",)),
    ("Kwame Asante", "kwame@acme.test", ("acme",)),
    ("Lea Moreau", "lea@acme.test", ("acme-labs",)),
    ("Marco Rossi", "marco@acme.test", ("acme-labs",)),
    ("Nadia Rahman", "nadia@acme.test", ("acme-labs", "acme")),
    ("Oskar Lind", "oskar@acme.test", ("acme-labs",)),
    ("Priya Nair", "priya@acme.test", ("acme-labs",)),
    ("Quentin Dubois", "quentin@acme.test", ("acme-labs",)),
    ("Ren Takahashi", "ren@acme.test", ("acme-japan",)),
    ("Sakura Ito", "sakura@acme.test", ("acme-japan",)),
    ("Taro Mori", "taro@acme.test", ("acme-japan",)),
    ("Uma Shah", "uma@acme.test", ("acme-japan", "acme")),
    ("Vera Costa", "vera@contractors.test", ("other", "acme")),
    ("Will Turner", "will@contractors.test", ("other", "acme")),
    ("Olga Sidorova", "outsider@other.test", ("other",)),
)
EMAILS: Final = frozenset({STAFF, *(email for _, email, _ in PEOPLE)})
ORGANIZATIONS: Final = {
    "acme": "Acme Corporation",
    "acme-labs": "Acme Labs",
    "acme-japan": "Acme Japan",
    "other": "Other Company",
}
# owner's address, name of the key, kind of use (demo_usage.KINDS), requests a day, year of an old key or 0
KEYS: Final = (
    ("owner@acme.test", "search-prod", "chat", 640, 0),
    ("owner@acme.test", "owner-notebook", "chat", 12, 0),
    ("admin@acme.test", "support-bot", "assistant", 520, 0),
    ("admin@acme.test", "batch-nightly", "nightly", 300, 0),
    ("admin@acme.test", "legacy-gateway", "chat", 150, 2022),
    ("reader@acme.test", "reader-cli", "chat", 28, 0),
    ("reader@acme.test", "reader-eval", "reasoning", 9, 0),
    ("chidi@acme.test", "search-index", "embedding", 460, 0),
    ("chidi@acme.test", "ranking-eval", "reasoning", 60, 0),
    ("dana@acme.test", "docs-assistant", "long", 130, 0),
    ("dana@acme.test", "docs-index", "embedding", 120, 0),
    ("dana@acme.test", "old-prototype", "chat", 35, 2023),
    ("emil@acme.test", "call-center", "transcription", 90, 0),
    ("emil@acme.test", "voice-replies", "speech", 45, 0),
    ("fatima@acme.test", "marketing-images", "image", 40, 0),
    ("fatima@acme.test", "marketing-copy", "assistant", 80, 0),
    ("george@acme.test", "fraud-review", "reasoning", 75, 0),
    ("george@acme.test", "fraud-screen", "chat", 190, 0),
    ("hana@acme.test", "translation", "chat", 160, 0),
    ("hana@acme.test", "translation-batch", "nightly", 90, 0),
    ("igor@acme.test", "code-review", "long", 85, 0),
    ("igor@acme.test", "code-review-old", "chat", 40, 2023),
    ("julia@acme.test", "analytics-sql", "reasoning", 55, 0),
    ("julia@acme.test", "analytics-tools", "tools", 35, 0),
    ("kwame@acme.test", "mobile-app", "chat", 380, 0),
    ("kwame@acme.test", "mobile-app-staging", "chat", 22, 0),
    ("kwame@acme.test", "mobile-search", "search", 60, 0),
    ("lea@acme.test", "labs-agents", "long", 140, 0),
    ("lea@acme.test", "labs-agents-dev", "long", 25, 0),
    ("marco@acme.test", "labs-evals", "reasoning", 95, 0),
    ("marco@acme.test", "labs-evals-batch", "nightly", 110, 0),
    ("nadia@acme.test", "labs-vision", "image", 30, 0),
    ("nadia@acme.test", "labs-open-weights", "unpriced", 65, 0),
    ("oskar@acme.test", "labs-retrieval", "embedding", 150, 0),
    ("oskar@acme.test", "labs-retrieval-old", "embedding", 40, 2023),
    ("priya@acme.test", "labs-speech", "transcription", 35, 0),
    ("priya@acme.test", "labs-notebooks", "chat", 45, 0),
    ("quentin@acme.test", "labs-sandbox", "tools", 28, 0),
    ("quentin@acme.test", "labs-chat", "assistant", 70, 0),
    ("ren@acme.test", "japan-chat", "chat", 210, 0),
    ("ren@acme.test", "japan-chat-staging", "chat", 18, 0),
    ("sakura@acme.test", "japan-support", "assistant", 120, 0),
    ("sakura@acme.test", "japan-voice", "transcription", 25, 0),
    ("taro@acme.test", "japan-docs", "long", 50, 0),
    ("taro@acme.test", "japan-index", "embedding", 80, 0),
    ("uma@acme.test", "japan-reports", "nightly", 60, 0),
    ("uma@acme.test", "japan-bi", "reasoning", 20, 0),
    ("vera@contractors.test", "contract-acme", "chat", 70, 0),
    ("vera@contractors.test", "contract-own", "chat", 30, 0),
    ("will@contractors.test", "integration-acme", "assistant", 55, 0),
    ("will@contractors.test", "integration-test", "chat", 15, 0),
    ("outsider@other.test", "other-prod", "chat", 90, 0),
    ("outsider@other.test", "other-index", "embedding", 40, 0),
    ("owner@acme.test", "labs-trial", "assistant", 10, 0),
    ("chidi@acme.test", "archive-search", "embedding", 30, 2022),
    ("george@acme.test", "risk-reports", "nightly", 25, 0),
    ("hana@acme.test", "subtitles", "transcription", 20, 0),
    ("igor@acme.test", "release-notes", "assistant", 14, 0),
    ("julia@acme.test", "dashboards", "chat", 26, 0),
    ("lea@acme.test", "labs-crawler", "search", 32, 0),
)
PRICES: Final = (
    ("text-embedding-3-small", LineItem.INPUT, "0.00000002"),
    ("code_interpreter_sessions", LineItem.SESSION, "0.03"),
)
KEYS_THAT_NAME_ACME: Final = ("contract-acme", "integration-acme")
TRACKING_TURNED_ON: Final = "code-review-old"
REVOKED: Final = "japan-chat-staging"


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key of the demo and how it is used."""

    public_id: str
    name: str
    kind: str
    requests_per_day: int
    organization: str | None
    """Public id of the organization that its requests name, if any."""
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Enterprise:
    """What the demo's usage is made for; `created_at` is the moment up to which it goes."""

    created_at: datetime
    keys: tuple[DemoKey, ...]


def find() -> Enterprise | None:
    """The demo that was made before; None if there is none."""
    acme = Organization.objects.filter(slug=ENTERPRISE).first()
    if acme is None:
        return None
    return Enterprise(acme.created_at, tuple(_demo_key(acme, name) for _, name, *_ in KEYS))


def create(now: datetime) -> Enterprise:
    """Make people, organizations, keys and what these are for, prices and credit. To be called inside `routing_change`."""
    founded_at = now - timedelta(days=700)
    users = {
        email: organizations.create_user(email=email, name=name, password=PASSWORD, now=founded_at)
        for name, email, _ in PEOPLE
    }
    homes = _create_organizations(users, founded_at)
    for name, email, slugs in PEOPLE:
        for slug in slugs:
            _join(users[email], homes[slug], name=name, now=founded_at)
        organizations.set_default_organization(
            user=users[email], organization=homes[slugs[0]], now=founded_at + timedelta(hours=1)
        )
    _create_staff(founded_at)
    purposes.create(homes, _create_keys(users, now), founded_at)
    _create_prices()
    _create_credit(homes["acme"], now)
    enterprise = find()
    assert enterprise is not None
    return enterprise


def _create_staff(founded_at: datetime) -> None:
    """Somebody of the company whose API Acme uses: they may do everything."""
    user = organizations.create_user(email=STAFF, name="Noor van Dijk", password=PASSWORD, now=founded_at)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])


def _create_organizations(users: dict[str, User], founded_at: datetime) -> dict[str, Organization]:
    owner = users["owner@acme.test"]
    acme = organizations.create_organization(name=ORGANIZATIONS["acme"], slug="acme", owner=owner, now=founded_at)
    made = {"acme": acme}
    for slug, name in ORGANIZATIONS.items():
        if slug != "acme":
            made[slug] = organizations.create_organization(
                name=name,
                slug=slug,
                owner=users["outsider@other.test"] if slug == "other" else owner,
                parent=None if slug == "other" else acme,
                now=founded_at,
            )
    return made


def _join(user: User, organization: Organization, *, name: str, now: datetime) -> None:
    if not Membership.objects.filter(user=user, organization=organization).exists():
        role = Role.ADMIN if name in ("Bo Sun", "Lea Moreau", "Ren Takahashi") else Role.READER
        organizations.add_member(organization=organization, user=user, role=role, now=now)


def _create_keys(users: dict[str, User], now: datetime) -> dict[str, APIKey]:
    made = {}
    for number, (email, name, _, _, year) in enumerate(KEYS):
        created_at = datetime(year, 3 + number % 8, 11, tzinfo=UTC) if year else now - timedelta(days=80 + 9 * number)
        api_key, _ = keys.create_api_key(user=users[email], name=name, created_at=created_at)
        if name == TRACKING_TURNED_ON:
            keys.set_tracking(api_key=api_key, tracked=True, now=now - timedelta(days=18))
        if name == REVOKED:
            keys.revoke_api_key(api_key=api_key, now=now - timedelta(days=9))
        made[name] = api_key
    return made


def _create_prices() -> None:
    """What the operator of the demo charges for what the default price list does not have."""
    for name, line_item, unit_price in PRICES:
        Price.objects.create(
            model=Model.objects.get_or_create(name=name)[0],
            line_item=line_item,
            effective_date=date(2024, 1, 25),
            unit_price=Decimal(unit_price),
            source="demo",
        )


def _create_credit(acme: Organization, now: datetime) -> None:
    CreditGrant.objects.create(
        organization=acme,
        name="Launch promotion",
        amount=Decimal("100.00"),
        category=CreditGrant.Category.PROMOTIONAL,
        priority=10,
        effective_at=now - timedelta(days=58),
        expires_at=now + timedelta(days=30),
    )
    CreditGrant.objects.create(
        organization=acme,
        name="Prepaid, autumn",
        amount=Decimal("4000.00"),
        category=CreditGrant.Category.PAID,
        effective_at=now - timedelta(days=45),
        expires_at=now + timedelta(days=320),
    )


def set_up_billing() -> None:
    """Whom Acme's invoices go to, and its budget. A second time changes nothing."""
    acme = Organization.objects.get(slug=ENTERPRISE)
    BillingDetails.objects.get_or_create(
        organization=acme,
        defaults={"legal_name": "Acme Corporation", "address": "1 Main Street\nSpringfield", "tax_id": "XX-000000000"},
    )
    Budget.objects.get_or_create(
        organization=acme, kind=BudgetKind.ORGANIZATION, defaults={"amount": Decimal("2500.00")}
    )


def _demo_key(acme: Organization, name: str) -> DemoKey:
    kind, requests_per_day = next((kind, requests) for _, key, kind, requests, _ in KEYS if key == name)
    api_key = APIKey.objects.get(name=name, user__email__in=[email for _, email, _ in PEOPLE])
    return DemoKey(
        public_id=api_key.public_id,
        name=name,
        kind=kind,
        requests_per_day=requests_per_day,
        organization=acme.public_id if name in KEYS_THAT_NAME_ACME else None,
        until=api_key.revoked_at,
    )
