"""The audit log as owners read it: filtered, by page, and as CSV."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.db.models import Case, CharField, Exists, F, GenericIPAddressField, OuterRef, Q, QuerySet, Value, When

from accounts.access import Access
from accounts.addresses import HIDDEN, plain_address, shortened
from accounts.audit.audit import OPERATOR
from accounts.models import AuditEvent, Membership, Organization
from accounts.periods import midnight
from accounts.spreadsheets import harmless

PAGE_SIZE: Final = 50
CHUNK_SIZE: Final = 2_000
STAFF: Final = "Staff"
DEPARTURE: Final = timedelta(minutes=1)  # an entry about somebody's own departure is written just after it
NEVER: Final = Q(pk__isnull=True)
CSV_COLUMNS: Final = ("time", "event", "actor", "address", "target_id", "target_name", "details")
# The events of the members, keys and settings in words; others show their name alone.
LABELS: Final = {
    "admin_key.created": "Admin key created",
    "admin_key.deleted": "Admin key revoked",
    "api_key.attributed": "API key's project or attributes changed",
    "api_key.created": "API key created",
    "api_key.updated": "API key changed",
    "api_key.deleted": "API key revoked",
    "api_key.taken_over": "API key taken over by provisioning",
    "api_key.visibility_requested": "Asked to make keys visible",
    "attribute.declared": "Attribute declared",
    "attribute.updated": "Attribute renamed",
    "attribute.withdrawn": "Attribute withdrawn",
    "budget.removed": "Budget removed",
    "budget.set": "Budget set",
    "invite.accepted": "Invitation accepted",
    "invite.deleted": "Invitation cancelled",
    "invite.sent": "Invitation sent",
    "membership.taken_over": "Membership taken over by provisioning",
    "organization.created": "Organization created",
    "organization.ended": "Organization ended",
    "organization.left_by_staff": "Pages left by staff",
    "organization.opened_by_staff": "Pages opened by staff",
    "organization.payer_changed": "Payer changed",
    "organization.resumed": "Organization in use again",
    "organization.taken_over": "Organization taken over by provisioning",
    "organization.updated": "Organization changed",
    "mail_domain.created": "Mail domain added",
    "mail_domain.deleted": "Mail domain removed",
    "price.changed": "Price changed",
    "scim_group.created": "Group provisioned",
    "scim_group.deleted": "Group removed by provisioning",
    "scim_group.updated": "Provisioned group changed",
    "scim_token.created": "SCIM token created",
    "scim_token.deleted": "SCIM token revoked",
    "project.archived": "Project archived",
    "project.created": "Project created",
    "project.restored": "Project restored",
    "project.updated": "Project renamed",
    "usage.exported": "Usage exported",
    "usage.test_event_sent": "Test event sent by staff",
    "user.added": "Member added",
    "user.default_organization.added": "Became a member's default organization",
    "user.default_organization.removed": "No longer a member's default organization",
    "user.deleted": "Member removed",
    "user.email.changed": "A member's email address changed",
    "user.second_factor.added": "A member's second factor added",
    "user.second_factor.removed": "A member's second factor removed",
    "user.updated": "Role changed",
}


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    occurred_at: datetime
    event: str
    label: str
    actor: str
    address: str
    target_id: str
    target_name: str
    details: str


@dataclass(frozen=True)
class Page:
    """The entries of a page, newest first. `older` is the id to ask for the next page with, None on the last one."""

    entries: tuple[Entry, ...]
    older: int | None


class AuditFilterForm(forms.Form):
    """What to show: a kind of event, an actor or target by part of the name, and UTC days (both included)."""

    event = forms.ChoiceField(required=False, label="Event")
    text = forms.CharField(required=False, max_length=254, label="Person, key or address")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="Until", widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, data: object, *, access: Access) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self._organization = organization = access.organization
        self._with_addresses = access.opening is None
        if not self._with_addresses:
            self.fields["text"].label = "Person or key"
        names = AuditEvent.objects.filter(organization=organization).order_by("event").values_list("event", flat=True)
        field = self.fields["event"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "All events"), *((name, label_of(name)) for name in names.distinct())]

    def events(self) -> QuerySet[AuditEvent]:
        """The events of the organization that the valid fields ask for; a field that is wrong filters nothing.

        For staff that looks in they have no address: from where its people acted is the organization's to know.
        """
        self.is_valid()
        chosen = self.cleaned_data
        events = entries_of(self._organization, with_addresses=self._with_addresses)
        if event := chosen.get("event"):
            events = events.filter(event=event)
        if text := chosen.get("text"):
            events = events.filter(
                Q(shown_actor__icontains=text) | Q(target_name__icontains=text) | Q(target_id=text) | _address(text)
            )
        if since := chosen.get("since"):
            events = events.filter(occurred_at__gte=midnight(since))
        if (until := chosen.get("until")) and until < date.max:
            events = events.filter(occurred_at__lt=midnight(until + timedelta(days=1)))
        return events.order_by("-id")


def entries_of(organization: Organization, *, with_addresses: bool = True) -> QuerySet[AuditEvent]:
    """The organization's events with what its people are shown of who acted: `shown_actor` and `shown_address`.

    A person who was not in the organization at that time is the operator's staff, as is a program with the operator's
    token: neither named nor placed. Without addresses nobody is placed, so that no search finds an entry by one.
    """
    stays = Q(left_at__isnull=True) | Q(left_at__gt=OuterRef("occurred_at") - DEPARTURE)
    memberships = Membership.objects.filter(
        stays, user=OuterRef("actor"), organization=organization, joined_at__lte=OuterRef("occurred_at")
    )
    is_known = Q(actor__isnull=True) & ~Q(actor_name__startswith=OPERATOR) | Q(Exists(memberships))
    return AuditEvent.objects.filter(organization=organization).annotate(
        shown_actor=Case(When(is_known, then=F("actor_name")), default=Value(STAFF), output_field=CharField()),
        shown_address=Case(
            When(is_known if with_addresses else NEVER, then=F("address")), output_field=GenericIPAddressField()
        ),
    )


def page_of(events: QuerySet[AuditEvent], *, before: int | None) -> Page:
    """One page of entries, those older than the entry `before`. The work does not grow with the page's number."""
    found = list(events.filter(id__lt=before)[: PAGE_SIZE + 1] if before else events[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return Page(tuple(map(entry_of, shown)), shown[-1].pk if len(found) > PAGE_SIZE else None)


def entry_of(event: Any) -> Entry:
    """An event of `entries_of` as it is shown."""
    return Entry(
        occurred_at=event.occurred_at,
        event=event.event,
        label=label_of(event.event),
        actor=event.shown_actor,
        address=event.shown_address or "",
        target_id=event.target_id,
        target_name=event.target_name,
        details=details_of(event),
    )


def details_of(event: AuditEvent) -> str:
    """What an entry says beside its event, in words. Addresses of webhooks are shortened: their path may be a secret."""
    said = ((name, value) for name, value in event.details.items() if value is not None)
    return ", ".join(f"{name.replace('_', ' ')}: {_words(name, value)}" for name, value in said)


def label_of(event: str) -> str:
    return LABELS.get(event, event.replace(".", " ").replace("_", " ").capitalize())


def csv_of(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """The entries as CSV, header first, in constant memory. Cells that a spreadsheet would run are made harmless."""
    line = csv.writer(_Echo())
    yield line.writerow(CSV_COLUMNS)
    for event in events.iterator(chunk_size=CHUNK_SIZE):
        entry = entry_of(event)
        cells = (entry.event, entry.actor, entry.address, entry.target_id, entry.target_name, entry.details)
        yield line.writerow([f"{entry.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}", *map(harmless, cells)])


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _words(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "url" and HIDDEN not in str(value):  # entries are for good, and there are some with whole addresses
        return shortened(str(value))
    return str(value)


def _address(text: str) -> Q:
    """PostgreSQL compares addresses as addresses; other text is none."""
    address = plain_address(text)
    return Q(shown_address=address) if address else Q()
