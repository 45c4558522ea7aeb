"""Organizations by the operator's own id: their payer, visibility, billing details and own prices."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime

from django.db.models import QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.members import invitations
from accounts.models import Organization, User
from accounts.organizations.many import create_organizations
from accounts.organizations.open_invitations import open_invitations
from accounts.organizations.organizations import (
    end_organization,
    rename_organization,
    resume_organization,
    set_usage_visibility,
)
from apikeys.adminkeys.adminkeys import revoke_admin_key
from apikeys.models import AdminKey
from billing.invoices.details import change_details
from billing.models import BillingDetails
from billing.prices.payers import BilledMonthError, change_payer, dated_payers
from usage_dashboard.provisioning.guards import alone_with
from usage_dashboard.provisioning.lines import (
    Decision,
    Line,
    RefusedError,
    Status,
    immutable,
    judged,
    moment_of,
    unknown,
)
from usage_dashboard.provisioning.shapes import ProvisionedDetails, ProvisionedOrganization
from usage_dashboard.provisioning.things import prices

Found = Mapping[str | None, Organization]


class Organizations:
    """The kind `organizations`."""

    name = "organizations"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        """Who pays for others comes before those; whoever ends after them."""
        is_paid = [bool(line.fields.get("parent")) != line.is_end for line in lines]
        return [[line for line, paid in zip(lines, is_paid, strict=True) if paid == which] for which in (False, True)]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:
        wanted = {line.external_id for line in lines} | {line.fields.get("parent") for line in lines}
        found = {one.external_id: one for one in Organization.objects.filter(external_id__in=wanted - {None})}
        taken = _taken_over(lines)
        details = BillingDetails.objects.in_bulk([one.pk for one in found.values()])
        known = prices.Known.of([*found.values(), *taken.values()], [line.fields.get("prices", ()) for line in lines])
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        payers = _payers_then(decisions, taken)

        def put(decision: Decision) -> None:
            _put(decision, found, taken, payers, now)
            _put_bill(decision, details.get(decision.row.pk) if decision.row else None, known)

        return judged(decisions, put=put, end=lambda decision: _end(decision, now))

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        return alone_with(decisions)

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:  # noqa: ARG002 - one signature
        create_organizations([decision.new for decision in decisions], actor=actor)

    def rows(self) -> "QuerySet[Organization]":
        return Organization.objects.filter(external_id__isnull=False).select_related("parent")

    def show(self, rows: list[Organization]) -> list[ProvisionedOrganization]:
        details = BillingDetails.objects.in_bulk([row.pk for row in rows])
        own_prices = prices.shown(rows)
        return [
            {
                "external_id": str(row.external_id),
                "id": row.public_id,
                "name": row.name,
                "slug": row.slug,
                "parent": row.parent.external_id if row.parent else None,
                "parent_id": row.parent.public_id if row.parent else None,
                "usage_visibility": row.usage_visibility,
                "billing_details": _shown_details(details.get(row.pk)),
                "prices": own_prices.get(row.pk, []),
                "created_at": row.created_at,
                "ended_at": row.ended_at,
            }
            for row in rows
        ]


def _taken_over(lines: list[Line]) -> dict[str, Organization]:
    """The organizations that lines name by our id."""
    named = {line.fields["id"] for line in lines if "id" in line.fields}
    return {one.public_id: one for one in Organization.objects.filter(public_id__in=named)} if named else {}


def _payers_then(decisions: list[Decision], taken: Mapping[str, Organization]) -> dict[int, int]:
    """Who is dated to pay at the lines' `effective_at` for the organizations of which they say who pays, by ids."""
    days: dict[int, date] = {}
    for decision in decisions:
        line = decision.line
        row = decision.row or taken.get(line.fields.get("id", ""))
        if row is not None and line.effective_at is not None and "parent" in line.fields:
            days[row.pk] = line.effective_at.date()
    return dated_payers(days)


def _put(
    decision: Decision, found: Found, taken: Mapping[str, Organization], payers: Mapping[int, int], now: datetime
) -> None:
    line, fields = decision.line, decision.line.fields
    moment_of(line, now)
    parent = _parent(line, found)
    row = decision.row
    if "id" in fields and (row is None or row.public_id != fields["id"]):
        row = decision.row = _take_over(decision, taken)
    decision.organizations = tuple(one for one in (row, parent) if one is not None)
    if row is None:
        decision.status = Status.CREATED
        decision.new = Organization(
            external_id=line.external_id,
            name=fields["name"],
            parent=parent,
            **{name: fields[name] for name in ("usage_visibility",) if name in fields},
        )
        return
    _change(decision, row, parent, payers)


def _change(decision: Decision, row: Organization, parent: Organization | None, payers: Mapping[int, int]) -> None:
    line, fields = decision.line, decision.line.fields
    if row.ended_at is not None:
        decision.does(lambda _now, actor: resume_organization(organization=row, actor=actor))
    if row.name != fields["name"]:
        decision.does(lambda _now, actor: rename_organization(organization=row, name=fields["name"], actor=actor))
    visibility = fields.get("usage_visibility", row.usage_visibility)
    if row.usage_visibility != visibility:
        decision.does(
            lambda _now, actor: set_usage_visibility(organization=row, usage_visibility=visibility, actor=actor)
        )
    payer_id = parent.pk if parent else row.pk
    pays_now, pays_then = row.parent_id or row.pk, payers.get(row.pk, payer_id)
    if "parent" in fields and not pays_now == pays_then == payer_id:
        decision.does(
            lambda now, actor: _change_payer(organization=row, parent=parent, actor=actor, now=line.effective_at or now)
        )


def _change_payer(*, organization: Organization, parent: Organization | None, actor: Actor, now: datetime) -> None:
    """Raises RefusedError for what would hold from a moment that is billed already, beside what the domain raises."""
    try:
        change_payer(organization=organization, parent=parent, actor=actor, now=now)
    except BilledMonthError as error:
        raise billed(error.first_open_date) from error


def _take_over(decision: Decision, taken: Mapping[str, Organization]) -> Organization:
    """The organization that was made by hand, from now on known by this id. Raises RefusedError."""
    line = decision.line
    if decision.row is not None:
        raise immutable("id", f"“{line.external_id}” is the organization {decision.row.public_id}.")
    row = taken.get(line.fields["id"])
    if row is None:
        raise unknown("id", line.fields["id"])
    if row.external_id is not None:
        raise immutable("id", f"{row.public_id} is known as “{row.external_id}” already.")
    decision.does(lambda _now, actor: _adopt(row, line.external_id, actor))
    return row


def _adopt(row: Organization, external_id: str, actor: Actor) -> None:
    row.external_id = external_id
    row.save(update_fields=["external_id"])
    audit.record(
        "organization.taken_over", actor=actor, organization=row, target_id=row.public_id, target_name=row.name
    )


def _parent(line: Line, found: Found) -> Organization | None:
    external_id = line.fields.get("parent")
    if external_id is None:
        return None
    parent = found.get(external_id)
    if parent is None:
        raise unknown("parent", external_id)
    if external_id == line.external_id:
        raise RefusedError("invalid_parent", "An organization without a parent pays itself.", param="parent")
    if parent.parent_id is not None:
        raise RefusedError(
            "invalid_parent", f"“{external_id}” has a parent itself: there is one level of payers.", param="parent"
        )
    return parent


def _put_bill(decision: Decision, details: BillingDetails | None, known: prices.Known) -> None:
    fields = decision.line.fields
    organization = decision.row or decision.new
    wanted = fields.get("billing_details", {})
    before = details or BillingDetails()
    if any(getattr(before, name) != value for name, value in wanted.items()):
        decision.does(lambda _now, actor: change_details(organization=organization, fields=wanted, actor=actor))
    for act in prices.acts(organization, fields.get("prices", ()), known):
        decision.does(act)


def _end(decision: Decision, now: datetime) -> None:
    row, line = decision.row, decision.line
    if row is None:
        raise unknown("external_id", line.external_id)
    if line.effective_at is not None and moment_of(line, now) < now:
        raise RefusedError(
            "invalid_effective_at", "An organization ends now; end its memberships dated first.", param="effective_at"
        )
    if row.ended_at is None:
        people = User.objects.filter(memberships__organization=row, memberships__left_at__isnull=True)
        decision.people, decision.organizations = tuple(people), (row,)
        decision.does(lambda at, actor: _end_all(row, at, actor), status=Status.ENDED)


def _end_all(organization: Organization, now: datetime, actor: Actor) -> None:
    """Nobody is in the organization, comes into it, or reads it with a key of its own."""
    end_organization(organization=organization, now=now, actor=actor)
    for invitation in open_invitations(organization):
        invitations.revoke(invitation=invitation, now=now, actor=actor)
    for admin_key in AdminKey.objects.filter(organization=organization, revoked_at__isnull=True):
        revoke_admin_key(admin_key=admin_key, now=now, actor=actor)


def billed(day: object) -> RefusedError:
    return RefusedError(
        "billed", f"Usage from before {day} is billed: `effective_at` can be {day} or later.", param="effective_at"
    )


def _shown_details(details: BillingDetails | None) -> ProvisionedDetails:
    found = details or BillingDetails()
    return {
        "legal_name": found.legal_name,
        "address": found.address,
        "tax_id": found.tax_id,
        "tax_name": found.tax_name,
        "tax_rate": found.tax_rate,
        "due_days": found.due_days,
    }


def by_external_id(external_ids: set[str]) -> dict[str, Organization]:
    """The organizations with these ids that have not ended."""
    found = Organization.objects.filter(external_id__in=external_ids, ended_at__isnull=True)
    return {str(one.external_id): one for one in found}
