"""What the provisioning API answers, by kind. `id` is ours, `external_id` the operator's own."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from usage_dashboard.provisioning.lines import Status


class ProvisionedMembership(TypedDict):
    """A person's time in an organization; `left_at` null is now."""

    external_id: str
    user: str | None
    user_id: str
    organization: str | None
    organization_id: str
    role: str
    is_default: bool
    joined_at: datetime
    left_at: datetime | None


class ProvisionedProject(TypedDict):
    """A project as it is."""

    external_id: str
    id: str
    organization: str | None
    organization_id: str
    name: str
    created_at: datetime
    archived_at: datetime | None


class ProvisionedAttribution(TypedDict):
    """What usage of a key is for in an organization; `project` null is the default one, or one without an id of yours."""

    organization: str | None
    organization_id: str
    project: str | None
    project_id: str | None
    attributes: dict[str, str]
    effective_at: datetime


class ProvisionedAPIKey(TypedDict):
    """A key as it is. `secret` comes once, when it was made here."""

    external_id: str
    id: str
    user: str | None
    user_id: str
    name: str
    redacted: str
    tracked: bool
    attributions: list[ProvisionedAttribution]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    secret: NotRequired[str]


class ProvisionedAdminKey(TypedDict):
    """An admin key as it is. `secret` comes once, when it was made."""

    external_id: str
    id: str
    organization: str | None
    organization_id: str
    name: str
    redacted: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    secret: NotRequired[str]


class ProvisionedIngestToken(TypedDict):
    """An ingest token as it is. `secret` comes once, when it was made."""

    external_id: str
    name: str
    redacted: str
    created_at: datetime
    revoked_at: datetime | None
    secret: NotRequired[str]


class BatchLine(TypedDict):
    """A line of a batch, with the fields of a PUT of its kind beside these. `delete` true ends it."""

    kind: Literal["organizations", "users", "memberships", "projects", "api_keys", "admin_keys", "ingest_tokens"]
    external_id: str
    delete: NotRequired[bool]


class BatchAnswer(TypedDict):
    """The answer to a line; `secret` comes once, when it was made here."""

    line: int
    kind: NotRequired[str]
    external_id: NotRequired[str]
    status: Status
    id: NotRequired[str]
    secret: NotRequired[str]
    error: NotRequired["OperatorProblem"]


class OperatorProblem(TypedDict):
    """`code` is stable and for programs, `message` a sentence for people; `param` names the field, `scope` what the token
    lacks."""

    code: str
    message: str
    request_id: NotRequired[str]
    param: NotRequired[str]
    scope: NotRequired[str]


class OperatorError(TypedDict):
    """A refusal of the request as a whole."""

    error: OperatorProblem


class ProvisionedDetails(TypedDict):
    """Whom invoices are made out to; null is the installation's."""

    legal_name: str
    address: str
    tax_id: str
    tax_name: str
    tax_rate: Decimal | None
    due_days: int | None


class ProvisionedPrice(TypedDict):
    """A price of the organization's own, in dollars for one unit."""

    model: str
    line_item: str
    unit_price: Decimal | None
    effective_date: date
    usage_type: str | None
    service_tier: str | None
    batch: bool | None
    provider: str | None
    speed: str | None
    region: str | None
    context_band: int


class ProvisionedOrganization(TypedDict):
    """An organization as it is."""

    external_id: str
    id: str
    name: str
    slug: str
    parent: str | None
    parent_id: str | None
    usage_visibility: str
    billing_details: ProvisionedDetails
    prices: list[ProvisionedPrice]
    created_at: datetime
    ended_at: datetime | None


class ProvisionedUser(TypedDict):
    """A person as they are."""

    external_id: str
    id: str
    email: str
    name: str
    default_organization: str | None
    default_organization_id: str | None
    is_active: bool
    created_at: datetime
