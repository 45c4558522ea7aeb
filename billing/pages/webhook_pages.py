"""Webhooks and chats, and what was sent: the same pages for an organization's owners and for the operator's staff.

They differ in whose webhooks they are, in their addresses, and in what can be told.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import limits
from accounts.access import Access, find_seen, judge_again
from accounts.addresses import shortened
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.installation import shown_once
from accounts.models import Organization, User
from accounts.pages.frame import SignedInRequest
from accounts.pages.lists import page_of, place_of
from accounts.pages.posting import back_to
from billing.alerts import Delivery, WebhookEndpoint
from billing.notices import endpoints, outbox
from billing.pages.forms import StaffWebhookForm, WebhookForm

MOST_MESSAGES: Final = 100


class Names(NamedTuple):
    """The names of the addresses: the page with the webhooks, the one that lists messages, and those of the forms."""

    page: str
    messages: str
    add: str
    secret: str
    removal: str
    activation: str
    test: str
    again: str


ORGANIZATION: Final = Names(
    page="billing:billing",
    messages="billing:messages",
    add="billing:webhooks",
    secret="billing:webhook_secret",  # noqa: S106 - the name of an address
    removal="billing:webhook_removal",
    activation="billing:webhook_activation",
    test="billing:webhook_test",
    again="billing:message_again",
)
STAFF: Final = Names(
    page="billing:staff_news",
    messages="billing:staff_news",
    add="billing:staff_webhooks",
    secret="billing:staff_webhook_secret",  # noqa: S106 - the name of an address
    removal="billing:staff_webhook_removal",
    activation="billing:staff_webhook_activation",
    test="billing:staff_webhook_test",
    again="billing:staff_message_again",
)


@dataclass(frozen=True)
class WebhookRow:
    """A webhook as it is listed, and where its forms lead. `shown` is its address, as far as the reader may see it."""

    endpoint: WebhookEndpoint
    shown: str
    removal: str
    activation: str
    test: str


@dataclass(frozen=True)
class MessageRow:
    """A message that was sent or waits. `to` is its recipient, as far as the reader may see it."""

    delivery: Delivery
    to: str
    again: str


@dataclass(frozen=True)
class WebhookPages:
    """The webhooks of an organization that somebody has come into, or of staff without one. `is_theirs`: their addresses are
    shown to the reader whole."""

    access: Access | None = None
    is_theirs: bool = True

    @property
    def organization(self) -> Organization | None:
        return self.access.organization if self.access else None

    @property
    def names(self) -> Names:
        return ORGANIZATION if self.organization else STAFF

    def form(self, data: Any = None) -> WebhookForm:
        return WebhookForm(data) if self.organization else StaffWebhookForm(data)

    def rows(self, shown: Sequence[WebhookEndpoint]) -> list[WebhookRow]:
        """These, in their order, as they are listed."""
        return [
            WebhookRow(
                endpoint,
                self._shown(endpoint.url),
                *(self.address(name, endpoint.pk) for name in self.names[4:7]),
            )
            for endpoint in shown
        ]

    def sent(self) -> list[MessageRow]:
        """The last messages, newest first."""
        return [
            MessageRow(
                delivery,
                self._shown(delivery.recipient) if delivery.endpoint else delivery.recipient,
                self.address(self.names.again, delivery.pk),
            )
            for delivery in self._deliveries().order_by("-id")[:MOST_MESSAGES]
        ]

    def context(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What the templates of webhooks draw: a page of those that were not removed, the oldest first, as `webhook` asks for."""
        page = page_of(outbox.endpoints_of(self.organization).order_by("created_at", "id"), query, name="webhook")
        listed = {"webhooks": self.rows(page.rows), "webhook_page": page}
        return listed | {
            "add_address": self.address(self.names.add),
            "messages_address": self.address(self.names.messages),
        }

    def add(self, request: SignedInRequest, form: WebhookForm) -> WebhookEndpoint | None:
        """The webhook that a valid form asks for; None, and the reason in the form, if there cannot be one."""
        try:
            with self._change():
                return endpoints.add(
                    self.organization,
                    form.cleaned_data["url"],
                    format=form.cleaned_data["format"],
                    event_types=form.cleaned_data["event_types"],
                    actor=actor_of(request),
                )
        except endpoints.EndpointRefusedError as error:
            form.add_error("url", str(error))
            return None

    def added(self, request: SignedInRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        """To the page of its secret; of a chat, whose address is the secret, back to the list."""
        if endpoint.is_chat:
            chat = endpoint.get_format_display()
            messages.success(request, f"Messages go to {chat} from now on. Send a test to see one.")
            return self._back(request, self.names.page)
        shown_once.keep(request, _kept_as(endpoint), endpoint.secret)
        return self._back(request, self.names.secret, endpoint.pk)

    def secret_page(self, request: SignedInRequest, endpoint_id: int, context: dict[str, Any]) -> HttpResponse:
        """The secret of a new webhook, the one time that it is shown; afterwards, that it was."""
        endpoint = self._endpoint(endpoint_id)
        shown = {
            "shown": self._shown(endpoint.url),
            "secret": shown_once.take(request, _kept_as(endpoint)) if request.method == "GET" else None,
            "back": f"{self.address(self.names.page)}{place_of(request.GET)}#webhooks",
        }
        return render(request, "billing/webhook_secret.html", {**context, **shown})

    def remove(self, request: SignedInRequest, endpoint_id: int) -> HttpResponse:
        endpoint = self._endpoint(endpoint_id)
        with self._change(by=request.user):
            endpoints.remove(endpoint, actor=actor_of(request))
        messages.success(request, "Webhook removed.")
        return self._back(request, self.names.page)

    def switch_on(self, request: SignedInRequest, endpoint_id: int) -> HttpResponse:
        """Send again to an address that was switched off because nothing reached it."""
        endpoint = self._endpoint(endpoint_id)
        with self._change(by=request.user):
            endpoints.switch_on(endpoint, actor=actor_of(request))
        messages.success(request, f"Webhook switched on. New events are sent to {self._shown(endpoint.url)}.")
        return self._back(request, self.names.page)

    def send_test(self, request: SignedInRequest, endpoint_id: int) -> HttpResponse:
        """Send a message that says that it is a test."""
        endpoint = self._endpoint(endpoint_id)
        if endpoint.switched_off_at is not None:
            messages.error(request, "This webhook is switched off. Switch it on first.")
            return self._back(request, self.names.page)
        with self._change(by=request.user):
            outbox.test_message(endpoint)
        messages.success(request, "A test is on its way. It is the first in this list.")
        return self._back(request, self.names.messages)

    def send_again(self, request: SignedInRequest, delivery_id: int) -> HttpResponse:
        """Send a message once more."""
        delivery = find_seen(self._deliveries(), pk=delivery_id)
        back = self._back(request, self.names.messages)
        if delivery.endpoint and (delivery.endpoint.disabled_at or delivery.endpoint.switched_off_at):
            messages.error(request, "Its webhook is removed or switched off. Nothing was sent.")
            return back
        if delivery.endpoint is None and not outbox.may_hear(self.organization, delivery.recipient):
            who = "owner" if self.organization else "member of staff"
            messages.error(request, f"Its recipient is no {who} any more. Nothing was sent.")
            return back
        to = self._shown(delivery.recipient) if delivery.endpoint else delivery.recipient
        with self._change(by=request.user):
            is_new = outbox.send_again(delivery)
        if is_new:
            messages.success(request, f"The message to {to} is on its way again.")
        else:
            messages.info(request, "This message is still waiting to be sent.")
        return back

    def address(self, name: str, *args: object) -> str:
        return reverse(name, args=self._parts(args))

    @contextmanager
    def _change(self, *, by: User | None = None) -> Iterator[None]:
        """As `change`; an organization's owner is one still. What staff may is judged before."""
        with change(by=by):
            if self.access is not None:
                judge_again(self.access)
            yield

    def _back(self, request: SignedInRequest, name: str, *args: object) -> HttpResponse:
        return back_to(request, name, *self._parts(args))

    def _parts(self, args: tuple[object, ...]) -> tuple[object, ...]:
        return (self.organization.slug, *args) if self.organization else args

    def _endpoint(self, endpoint_id: int) -> WebhookEndpoint:
        return find_seen(outbox.endpoints_of(self.organization).select_related("organization"), pk=endpoint_id)

    def _deliveries(self) -> QuerySet[Delivery]:
        found = Delivery.objects.select_related("endpoint")
        if self.organization is None:
            return found.filter(organization__isnull=True)
        return found.filter(organization=self.organization)

    def _shown(self, url: str) -> str:
        return url if self.is_theirs else shortened(url)


def webhooks_of(access: Access) -> WebhookPages:
    """Those of the organization. Staff who look in see as much of an address as tells two apart: it may be a secret."""
    return WebhookPages(access, is_theirs=access.opening is None)


def spend_a_change(request: SignedInRequest) -> None:
    """Before a form of a webhook is read, because it looks up a host that its sender names."""
    limits.spend(request.user, limits.CHANGES)


def _kept_as(endpoint: WebhookEndpoint) -> str:
    return f"webhook {endpoint.pk}"
