"""What is left to set up, as staff's home lists it: each step knows by itself whether it is done.

What `manage.py doctor` looks at is done when its check finds nothing; the rest is done when what it is about is there. A step
that an installation does without is dismissed, for all staff, until somebody takes that back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization, User
from apikeys.models import OperatorToken
from billing.models import Price
from metering.models import OrganizationHourlyUsage
from usage_dashboard.doctor import surroundings, work
from usage_dashboard.doctor.findings import Check
from usage_dashboard.machine.your_name import PRODUCT
from usage_dashboard.models import DismissedStep
from usage_dashboard.overview.state import State

DISMISSED: Final = "installation.step_dismissed"
TAKEN_BACK: Final = "installation.step_taken_back"


@dataclass(frozen=True)
class Step:
    """One thing to do: why, where, and whether it is done. `page` is the name of an address, empty for what is set elsewhere."""

    id: str
    title: str
    why: str
    how: str
    is_done: Callable[[State], bool]
    page: str = ""
    label: str = ""


@dataclass(frozen=True)
class Item:
    """A step as it is now."""

    step: Step
    is_done: bool
    is_dismissed: bool


@dataclass(frozen=True)
class Checklist:
    """What is left, what is done, and what is done without."""

    left: tuple[Step, ...]
    done: tuple[Step, ...]
    dismissed: tuple[Step, ...]

    @property
    def num(self) -> int:
        return len(self.left) + len(self.done)


class UnknownStepError(Exception):
    """There is no such step."""


def found_fine(check: Check) -> Callable[[State], bool]:
    return lambda state: state.is_fine(check)


STEPS: Final = (
    Step(
        "second-factor",
        "A second factor for all staff",
        "Pages of staff open everybody's bills.",
        "You → Security, for each member of staff.",
        found_fine(surroundings.staff),
        "accounts:security",
        "Security",
    ),
    Step(
        "events",
        "Your gateway reports usage",
        "Without events there is nothing to see or to bill.",
        "docs/connect.md has a page for each gateway.",
        lambda _state: OrganizationHourlyUsage.objects.exists(),
        "billing:ingestion",
        "Ingestion",
    ),
    Step(
        "prices",
        "Prices",
        "Usage of models without a price costs nothing.",
        "Run manage.py sync_prices --apply for the default list, or set your own.",
        lambda state: Price.objects.exists() and state.is_fine(work.prices),
        "billing:prices",
        "Prices",
    ),
    Step(
        "customers",
        "Your customers",
        "Each organization sees its own usage and bills.",
        "Programs bring them (docs/provisioning.md), or people make them under Organizations.",
        lambda _state: Organization.objects.filter(is_personal=False)[1:2].exists(),
        "billing:customers",
        "Customers",
    ),
    Step(
        "operator-token",
        "An operator token",
        "With it a program of yours keeps customers, users and keys here as you have them.",
        "Make one, and see docs/provisioning.md.",
        lambda _state: OperatorToken.objects.filter(revoked_at__isnull=True).exists(),
        "operator_tokens:list",
        "Operator tokens",
    ),
    Step(
        "name",
        "Your name",
        "Pages, emails and invoices say whose they are.",
        "Set SITE_NAME, and SITE_LOGO and SITE_ACCENT if you like.",
        lambda _state: settings.BRAND.name != PRODUCT.name,
    ),
    Step(
        "seller",
        "Who issues invoices",
        "An invoice without a seller is none.",
        "Set INVOICE_SELLER_NAME and INVOICE_SELLER_ADDRESS.",
        found_fine(surroundings.seller),
    ),
    Step(
        "address",
        "Your domain",
        "Others come from elsewhere, over HTTPS.",
        "Set SITE_ADDRESS=https://…, behind a proxy (docs/going-live.md).",
        found_fine(surroundings.address),
    ),
    Step(
        "mail",
        "Email",
        "Invitations, password resets and alerts go by email.",
        "Set EMAIL_URL and DEFAULT_FROM_EMAIL.",
        found_fine(surroundings.mail),
    ),
    Step(
        "sign-on",
        "Single sign-on",
        "Companies let their people in themselves.",
        "Set OIDC_SERVER_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.",
        lambda _state: bool(settings.OIDC_SERVER_URL),
    ),
    Step(
        "backups",
        "Backups",
        "What was billed cannot be made again.",
        "Run manage.py backup each night, and try manage.py restore once.",
        found_fine(work.backups),
    ),
)


def checklist(state: State) -> Checklist:
    dismissed = set(DismissedStep.objects.values_list("step", flat=True))
    items = [Item(step, step.is_done(state), step.id in dismissed) for step in STEPS]
    return Checklist(
        left=tuple(item.step for item in items if not item.is_done and not item.is_dismissed),
        done=tuple(item.step for item in items if item.is_done),
        dismissed=tuple(item.step for item in items if item.is_dismissed and not item.is_done),
    )


def dismiss(step_id: str, *, by: User, now: datetime, actor: Actor) -> Step:
    """Nobody is asked for the step any more. Raises UnknownStepError."""
    step = _step(step_id)
    _, is_new = DismissedStep.objects.get_or_create(step=step_id, defaults={"dismissed_by": by, "dismissed_at": now})
    if is_new:
        audit.record(DISMISSED, actor=actor, target_id=step.id, target_name=step.title)
    return step


def take_back(step_id: str, *, actor: Actor) -> Step:
    """The step is on the list again. Raises UnknownStepError."""
    step = _step(step_id)
    num_deleted, _ = DismissedStep.objects.filter(step=step_id).delete()
    if num_deleted:
        audit.record(TAKEN_BACK, actor=actor, target_id=step.id, target_name=step.title)
    return step


def _step(step_id: str) -> Step:
    found = next((step for step in STEPS if step.id == step_id), None)
    if found is None:
        raise UnknownStepError(step_id)
    return found
