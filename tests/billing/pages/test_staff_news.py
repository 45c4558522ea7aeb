"""News: the page where staff says where it hears of what goes wrong. For everybody else it does not exist."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.models import AuditEvent, User
from billing.alerts import Delivery, StaffNews, WebhookEndpoint
from billing.notices import deliveries, endpoints, outbox
from tests.billing.notices.test_webhooks import Receiver, receiver  # noqa: F401 - a fixture
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/news/"
BILLING = "/settings/organization/acme/billing/"


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    return client_of(world.charlie)


def hook(url: str, *, format: str = "standard", kinds: list[str] | None = None) -> dict[str, object]:  # noqa: A002
    return {"url": url, "format": format, "event_types": kinds or list(StaffNews.values)}


def test_a_webhook_is_added_with_a_secret_shown_once_tested_and_removed(staff: Client, receiver: Receiver) -> None:  # noqa: F811
    added = staff.post(f"{PAGE}webhooks/", hook(receiver.url))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.organization_id, endpoint.event_types) == (None, [])
    assert added["Location"] == f"{PAGE}webhooks/{endpoint.pk}/secret/"
    assert endpoint.secret in staff.get(added["Location"]).content.decode()
    assert endpoint.secret not in staff.get(added["Location"]).content.decode()
    page = staff.post(f"{PAGE}webhooks/{endpoint.pk}/test/", follow=True).content.decode()
    assert "A test is on its way" in page
    assert "A test for staff" in page
    assert deliveries.deliver_webhooks() == 1
    assert len(receiver.received) == 1
    again = f"{PAGE}messages/{Delivery.objects.get().pk}/again/"
    assert "on its way again" in staff.post(again, follow=True).content.decode()
    assert deliveries.deliver_webhooks() == 1
    ids = {headers["webhook-id"] for headers, _ in receiver.received}
    assert len(ids) == 1
    staff.post(f"{PAGE}webhooks/{endpoint.pk}/removal/")
    assert staff.post(f"{PAGE}webhooks/{endpoint.pk}/removal/").status_code == 404
    events = AuditEvent.objects.filter(event__startswith="webhook.").order_by("id")
    assert [(event.event, event.organization_id) for event in events] == [
        ("webhook.created", None),
        ("webhook.removed", None),
    ]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/hook", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://10.0.0.1/"]
)
def test_an_address_inside_the_network_is_refused(staff: Client, url: str) -> None:
    for kind in ("standard", "slack"):
        assert staff.post(f"{PAGE}webhooks/", hook(url, format=kind)).status_code == 200
    assert WebhookEndpoint.objects.count() == 0


@pytest.mark.parametrize("kinds", [["invoice.finalized"], ["nothing"], []])
def test_a_form_takes_staff_s_news_alone(staff: Client, settings: Settings, kinds: list[str]) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    data = {"url": "http://127.0.0.1/hook", "format": "standard", "event_types": kinds}
    assert staff.post(f"{PAGE}webhooks/", data).status_code == 200
    assert WebhookEndpoint.objects.count() == 0


def test_owners_and_staff_see_their_own_alone(world: World, staff: Client, client_of: SignIn) -> None:
    ours = endpoints.add(None, "https://example.com/operators-own", actor=SYSTEM_ACTOR)
    theirs = endpoints.add(world.acme, "https://example.com/acmes-own", actor=SYSTEM_ACTOR)
    message, other = outbox.test_message(ours), outbox.test_message(theirs)
    owner = client_of(world.alice)
    for address in (BILLING, f"{BILLING}messages/"):
        page = owner.get(address).content.decode()
        assert "acmes-own" in page
        assert "operators-own" not in page
    page = staff.get(PAGE).content.decode()
    assert "operators-own" in page
    assert "acmes-own" not in page
    for form in ("removal", "test", "activation"):
        assert owner.post(f"{BILLING}webhooks/{ours.pk}/{form}/").status_code == 404
        assert staff.post(f"{PAGE}webhooks/{theirs.pk}/{form}/").status_code == 404
    assert owner.get(f"{BILLING}webhooks/{ours.pk}/secret/").status_code == 404
    assert staff.get(f"{PAGE}webhooks/{theirs.pk}/secret/").status_code == 404
    assert owner.post(f"{BILLING}messages/{message.pk}/again/").status_code == 404
    assert staff.post(f"{PAGE}messages/{other.pk}/again/").status_code == 404


def test_the_rights_to_see_and_to_change_are_two(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    endpoint = endpoints.add(None, "https://example.com/operator", actor=SYSTEM_ACTOR)

    def as_staff_with(*rights: str) -> Client:
        world.bob.user_permissions.set(Permission.objects.filter(codename__in=rights))
        return client_of(User.objects.get(pk=world.bob.pk))

    assert as_staff_with().get(PAGE).status_code == 403
    reader = as_staff_with("view_webhookendpoint")
    page = reader.get(PAGE).content.decode()
    assert "https://example.com/…tor" in page
    assert "https://example.com/operator" not in page
    assert "Add webhook" not in page
    assert "Send a test" not in page
    message = Delivery.objects.create(message_id="m", event_type="test", recipient="x", body="")
    of_webhook = [f"{PAGE}webhooks/{endpoint.pk}/{form}/" for form in ("test", "removal", "activation")]
    for address in (*of_webhook, f"{PAGE}webhooks/", f"{PAGE}messages/{message.pk}/again/"):
        assert reader.post(address, hook("https://example.com/other")).status_code == 403, address
    assert reader.get(f"{PAGE}webhooks/{endpoint.pk}/secret/").status_code == 403
    assert as_staff_with("change_webhookendpoint").post(f"{PAGE}webhooks/{endpoint.pk}/test/").status_code == 302


def test_nothing_is_sent_again_to_who_is_no_staff_any_more(world: World, staff: Client) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    outbox.mail_staff("accounts.view_user", message_id="m", event_type="proof.drift", subject="s", text="t")
    Delivery.objects.update(next_attempt_at=None)
    User.objects.filter(pk=world.bob.pk).update(is_staff=False)
    message = Delivery.objects.get(recipient=world.bob.email)
    page = staff.post(f"{PAGE}messages/{message.pk}/again/", follow=True).content.decode()
    assert "no member of staff any more" in page
    assert Delivery.objects.get(pk=message.pk).next_attempt_at is None


def test_a_full_page_asks_no_more_than_an_empty_one(
    staff: Client, settings: Settings, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    settings.WEBHOOK_MAX_ENDPOINTS = 30
    for number in range(20):
        outbox.test_message(endpoints.add(None, f"https://example.com/{number}", actor=SYSTEM_ACTOR))
    with django_assert_max_num_queries(12):
        assert staff.get(PAGE).status_code == 200
