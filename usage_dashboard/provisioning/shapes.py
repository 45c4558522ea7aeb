"""What the provisioning API answers, by kind. `id` is ours, `external_id` the operator's own."""

from datetime import date, datetime
from decimal import Decimal
from typing import NotRequired, TypedDict


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
