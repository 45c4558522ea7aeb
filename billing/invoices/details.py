"""Whom an organization's invoices are made out to, and on which terms."""

from collections.abc import Mapping

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization
from accounts.organizations.organizations import locked
from billing.models import BillingDetails


def change_details(*, organization: Organization, fields: Mapping[str, object], actor: Actor) -> bool:
    """Gives these fields other values, for invoices that are not final. Returns whether anything changed.

    To be called inside a transaction. Two at once come one after the other, also where there are no details yet.
    """
    locked(organization)
    found = BillingDetails.objects.filter(organization=organization).first()
    details = found or BillingDetails(organization=organization)
    changed = [name for name, value in fields.items() if getattr(details, name) != value]
    if not changed:
        return False
    for name in changed:
        setattr(details, name, fields[name])
    details.full_clean(validate_unique=False)
    details.save()
    record_change(organization=organization, changed=changed, actor=actor)
    return True


def record_change(*, organization: Organization, changed: list[str], actor: Actor) -> None:
    audit.record(
        "billing_details.changed",
        actor=actor,
        organization=organization,
        target_id=organization.public_id,
        target_name=organization.name,
        details={"fields": changed},
    )
