"""News in Slack, Teams and Discord: in the form that each publishes, with nothing in names that means something there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.models import AuditEvent, User
from billing.alerts import Delivery, News, WebhookEndpoint, WebhookFormat
from billing.notices import chats, deliveries, endpoints, outbox
from tests.billing.notices.test_webhooks import Receiver, receiver  # noqa: F401 - a fixture
from tests.money import OCTOBER, close, set_price, use
from tests.world import World

BILLING = "/settings/organization/acme/billing/"
HOSTILE = "<!channel> @everyone [free](https://evil.test) *bold* & <https://evil.test|x>"
ADDRESS = "https://usage.example.com/x/"
SignIn = Callable[[User], Client]


def require_slack(body: dict[str, Any]) -> None:
    """The limits of https://docs.slack.dev/reference/block-kit/blocks."""
    header, section, actions = body["blocks"]
    assert isinstance(body["text"], str)
    assert (header["type"], header["text"]["type"]) == ("header", "plain_text")
    assert 0 < len(header["text"]["text"]) <= 150
    assert (section["type"], section["text"]["type"]) == ("section", "plain_text")
    assert 0 < len(section["text"]["text"]) <= 3000
    [button] = actions["elements"]
    assert (actions["type"], button["type"], button["text"]["type"]) == ("actions", "button", "plain_text")
    assert len(button["url"]) <= 3000


def require_teams(body: dict[str, Any]) -> None:
    """One adaptive card in a message, as https://adaptivecards.io/explorer/AdaptiveCard.html describes it."""
    assert body["type"] == "message"
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert all(block["type"] == "TextBlock" and block["wrap"] is True for block in card["body"])
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"]
    assert len(json.dumps(body)) < 28 * 1024


def require_discord(body: dict[str, Any]) -> None:
    """The limits of https://docs.discord.com/developers/resources/message#embed-object-embed-limits."""
    assert body["allowed_mentions"] == {"parse": []}
    [embed] = body["embeds"]
    assert 0 < len(embed["title"]) <= 256
    assert 0 < len(embed["description"]) <= 4096
    assert 0 <= embed["color"] <= 0xFFFFFF
    assert embed["url"].startswith("http")


CHATS = [
    (WebhookFormat.SLACK, require_slack),
    (WebhookFormat.TEAMS, require_teams),
    (WebhookFormat.DISCORD, require_discord),
]


@pytest.mark.parametrize(("chat", "require"), CHATS)
@pytest.mark.parametrize("text", ["Short.", HOSTILE, "x" * 20_000, "Ünïcode 云"])
def test_a_body_has_the_form_that_the_chat_publishes(
    chat: WebhookFormat, require: Callable[[dict[str, Any]], None], text: str
) -> None:
    require(json.loads(chats.body_of(chat, subject=text[:200], text=text, address=ADDRESS)))


def test_names_of_people_mean_nothing_in_a_chat() -> None:
    slack = json.loads(chats.body_of("slack", subject=HOSTILE, text=HOSTILE, address=ADDRESS))
    assert "<" not in slack["text"]
    teams = chats.body_of("teams", subject=HOSTILE, text=HOSTILE, address=ADDRESS)
    discord = chats.body_of("discord", subject=HOSTILE, text=HOSTILE, address=ADDRESS)
    for body in (
        json.loads(teams)["attachments"][0]["content"]["body"][1]["text"],
        json.loads(discord)["embeds"][0]["description"],
    ):
        assert r"\[free\]\(https\:" in body
        assert r"\@everyone" in body
        assert r"\*bold\*" in body


@pytest.mark.parametrize(("chat", "require"), CHATS)
def test_an_invoice_is_told_to_a_chat_without_a_signature(
    world: World,
    receiver: Receiver,  # noqa: F811 - the fixture
    chat: WebhookFormat,
    require: Callable[[dict[str, Any]], None],
) -> None:
    endpoint = endpoints.add(world.other, receiver.url, format=chat, actor=SYSTEM_ACTOR)
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=100)
    [invoice] = close(OCTOBER)
    Delivery.objects.filter(endpoint=None).delete()
    assert deliveries.deliver_waiting() == 1
    [(headers, sent)] = receiver.received
    body = json.loads(sent)
    require(body)
    assert str(invoice.number).replace("-", "") in sent.decode().replace("\\\\", "").replace("-", "")
    assert "webhook-signature" not in headers
    assert receiver.url not in (endpoint.url, str(list(AuditEvent.objects.values_list("details", flat=True))))


def test_the_address_of_a_chat_is_a_secret(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    secret = "http://127.0.0.1/services/T000/B000/verysecret"
    data = {"url": secret, "format": "slack", "event_types": News.values}
    client = client_of(world.alice)
    page = client.post(f"{BILLING}webhooks/", data, follow=True).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret == secret
    assert "verysecret" not in page + endpoint.url + endpoint.encrypted_secret
    assert endpoint.url.startswith("http://127.0.0.1/…")
    assert "Slack" in page
    again = client.post(f"{BILLING}webhooks/", data).content.decode()
    assert "This URL is already registered." in again


def test_a_webhook_is_told_of_what_was_chosen_alone(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    data = {"url": "http://127.0.0.1/hook", "format": "standard", "event_types": [News.BUDGET, News.FORECAST]}
    page = client_of(world.alice).post(f"{BILLING}webhooks/", data, follow=True).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.told_of == "budget thresholds, forecasts above the budget"
    assert endpoint.secret in page
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "m", input_tokens=100)
    close(OCTOBER)
    assert not Delivery.objects.filter(endpoint=endpoint).exists()


@pytest.mark.parametrize(
    ("url", "chat"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "Slack"),
        ("https://discord.com/api/webhooks/1/x", "Discord"),
        ("https://acme.webhook.office.com/webhookb2/x", "Microsoft Teams"),
    ],
)
def test_an_address_of_a_chat_is_not_taken_for_a_program_s(
    world: World, client_of: SignIn, monkeypatch: pytest.MonkeyPatch, url: str, chat: str
) -> None:
    monkeypatch.setattr("billing.notices.webhook_addresses.look_up", lambda _: None)
    data = {"url": url, "format": "standard", "event_types": News.values}
    page = client_of(world.alice).post(f"{BILLING}webhooks/", data).content.decode()
    assert f"This is an address of {chat}: choose {chat}." in page
    insecure = {**data, "url": "http://chat.example.com/x", "format": "slack"}
    assert "begins with https://" in client_of(world.alice).post(f"{BILLING}webhooks/", insecure).content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_nothing_is_sent_again_to_who_is_no_owner_any_more(world: World, client_of: SignIn) -> None:
    outbox.tell_owners(world.acme, message_id="m", event_type="x", subject="s", text="t")
    Delivery.objects.update(next_attempt_at=None, recipient="former@acme.test")
    client = client_of(world.alice)
    page = client.post(f"{BILLING}messages/{Delivery.objects.get().pk}/again/", follow=True).content.decode()
    assert "no owner any more" in page
    assert not Delivery.objects.filter(next_attempt_at__isnull=False).exists()


def test_a_webhook_of_nothing_is_refused(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    page = client_of(world.alice).post(f"{BILLING}webhooks/", {"url": "http://127.0.0.1/h", "format": "slack"})
    assert "Choose at least one." in page.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_a_test_arrives_and_is_in_the_list_and_can_be_sent_again(
    world: World,
    client_of: SignIn,
    receiver: Receiver,  # noqa: F811 - the fixture
) -> None:
    endpoint = endpoints.add(
        world.acme, receiver.url, format=WebhookFormat.DISCORD, event_types=[News.INVOICE], actor=SYSTEM_ACTOR
    )
    client = client_of(world.alice)
    page = client.post(f"{BILLING}webhooks/{endpoint.pk}/test/", follow=True).content.decode()
    assert "A test for Acme" in page
    assert "Waiting" in page
    assert deliveries.deliver_webhooks() == 1
    page = client.get(f"{BILLING}messages/").content.decode()
    assert "Sent at" in page
    delivery = Delivery.objects.get()
    client.post(f"{BILLING}messages/{delivery.pk}/again/")
    assert deliveries.deliver_webhooks() == 1
    assert deliveries.deliver_webhooks() == 0
    assert [body for _, body in receiver.received] == [delivery.body.encode()] * 2


def test_a_message_that_waits_is_not_sent_twice(world: World, client_of: SignIn) -> None:
    endpoint = WebhookEndpoint.objects.create(organization=world.acme, url="https://a.test/", encrypted_secret="x")
    delivery = outbox.test_message(endpoint)
    page = client_of(world.alice).post(f"{BILLING}messages/{delivery.pk}/again/", follow=True).content.decode()
    assert "still waiting" in page


def test_a_message_that_was_given_up_is_tried_at_once_though_its_endpoint_rests(
    world: World,
    client_of: SignIn,
    receiver: Receiver,  # noqa: F811 - the fixture
) -> None:
    endpoint = endpoints.add(world.acme, receiver.url, format=WebhookFormat.SLACK, actor=SYSTEM_ACTOR)
    delivery = outbox.test_message(endpoint)
    receiver.status = 503
    assert deliveries.deliver_webhooks() == 0
    Delivery.objects.update(next_attempt_at=None)
    receiver.status = 200
    client_of(world.alice).post(f"{BILLING}messages/{delivery.pk}/again/")
    assert deliveries.deliver_webhooks() == 1
    delivery.refresh_from_db()
    assert (delivery.num_attempts, delivery.last_error) == (1, "")


def test_nothing_is_sent_to_a_webhook_that_is_switched_off(world: World, client_of: SignIn) -> None:
    endpoint = WebhookEndpoint.objects.create(organization=world.acme, url="https://a.test/", encrypted_secret="x")
    delivery = outbox.test_message(endpoint)
    Delivery.objects.update(next_attempt_at=None)
    WebhookEndpoint.objects.update(switched_off_at="2026-11-01T00:00Z")
    client = client_of(world.alice)
    assert "Nothing was sent" in client.post(f"{BILLING}messages/{delivery.pk}/again/", follow=True).content.decode()
    page = client.post(f"{BILLING}webhooks/{endpoint.pk}/test/", follow=True).content.decode()
    assert "Switch it on first" in page
    assert not Delivery.objects.filter(next_attempt_at__isnull=False).exists()


def test_owners_see_what_was_sent_to_them_and_nothing_of_others(world: World, client_of: SignIn) -> None:
    set_price("m", "0.01")
    for organization in (world.acme, world.other):
        use(organization, "2026-10-02", "m", input_tokens=100)
    close(OCTOBER)
    page = client_of(world.alice).get(f"{BILLING}messages/").content.decode()
    assert world.alice.email in page
    assert world.charlie.email not in page
    empty = client_of(world.charlie).get("/settings/organization/other/billing/messages/")
    assert world.charlie.email in empty.content.decode()
