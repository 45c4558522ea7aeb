"""The Ingestion page: what came in, what was refused, and what staff can do about it. It exists for staff alone."""

import hashlib
import html
import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import AuditEvent, User
from apikeys.models import APIKey, IngestToken
from metering.ingestion_models import Grain, IngestCount, RefusedItem, UnknownKey
from metering.intake.received import report
from metering.intake.received.tally import tally
from metering.models import UsageEvent
from tests.engine import days_ago, make_event, make_key, make_token, num_events, post, roll_up, send
from tests.world import World, join

SignIn = Callable[[User], Client]
PAGE = "/settings/ingestion/"
KEYS = f"{PAGE}keys/"
TEST = f"{PAGE}test-event/"
SECRET = "sk-made-by-another-gateway-0001"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
SEEN = f"sha256:{DIGEST[:16]}"


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    return client_of(world.charlie)


def words(response: HttpResponse) -> str:
    """The text of the page, in a line."""
    assert response.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def page(client: Client, query: str = "") -> str:
    tally.write()
    return words(client.get(PAGE + query))  # type: ignore[arg-type]


def test_an_installation_into_which_nothing_came_says_so(staff: Client) -> None:
    found = page(staff)
    assert "Nothing came in during the last 60 minutes." in found
    assert "Nothing was refused." in found
    assert "Events per second, last minute 0.0" in found
    assert "Unknown keys" not in found


def test_each_sender_has_a_row_with_all_that_became_of_its_events(staff: Client, token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id)
    send([event], token)
    send([event, {**event, "input_tokens": 7}, make_event(id="far", timestamp=days_ago(1000))], token)
    post(b"{", token)
    found = page(staff)
    assert (
        "Events gateway conflicting: conflict 1 rejected: too_old 1 unreadable: invalid_json 1 1 1 1 1 0 0 1" in found
    )
    for grain, span in (("hour", "Last 48 hours"), ("day", "Last 30 days"), ("nonsense", "Last 60 minutes")):
        assert span in page(staff, f"?grain={grain}")
        assert "Events gateway" in page(staff, f"?grain={grain}")


def test_every_period_has_a_bar_and_an_old_count_has_none(staff: Client, token: str, key: APIKey) -> None:
    now = database_now()
    for minutes, number in ((0, 7), (59, 5), (61, 3_000)):
        began_at = report.period_of(now, Grain.MINUTE) - timedelta(minutes=minutes)
        IngestCount.objects.create(
            grain="minute", began_at=began_at, source="native", token_id=0, kind="accepted", code="", number=number
        )
    found = page(staff)
    assert "Events API keys 12" in found
    assert "3,000" not in found
    assert staff.get(PAGE).content.decode().count('class="intake-accepted" x=') == 2


def test_the_rate_is_of_the_events_stored_in_the_last_minute(staff: Client, token: str, key: APIKey) -> None:
    send([make_event(id=f"event-{number}", api_key_id=key.public_id) for number in range(90)], token)
    assert "Events per second, last minute 1.5" in page(staff)


def test_programs_get_the_same_as_json(staff: Client, token: str, key: APIKey) -> None:
    send([make_event(id="good", api_key_id=key.public_id), make_event(id="who", api_key_id=SECRET)], token)
    tally.write()
    found = json.loads(staff.get(PAGE, {"format": "json", "grain": "day"}).content)
    assert (found["grain"], found["events_per_second"], found["rollup_lag_seconds"] >= 0) == ("day", 0.017, True)
    counts = {(row["source"], row["sender"], row["kind"], row["code"]): row["number"] for row in found["counts"]}
    assert counts == {
        ("native", "gateway", "accepted", None): 1,
        ("native", "gateway", "rejected", "unknown_api_key"): 1,
    }
    (item,) = found["refused"]
    assert (item["code"], item["key"], item["event_id"]) == ("unknown_api_key", SEEN, "who")
    assert found["unknown_keys"][0]["key"] == SEEN


def test_a_refused_item_is_shown_with_its_sentence_and_its_organization(staff: Client, token: str, key: APIKey) -> None:
    send([make_event(id="good", api_key_id=key.public_id)], token)
    send([make_event(id="far", api_key_id=key.public_id, timestamp=days_ago(1000))], token)
    found = page(staff)
    assert "too_old Events are accepted for 60 days" in found
    assert f"gateway Events, Acme {key.public_id} far" in found
    RefusedItem.objects.update(at=database_now() - timedelta(hours=25))
    assert "Nothing was refused." in page(staff)


def test_what_senders_wrote_is_text_and_not_markup(staff: Client, token: str) -> None:
    post(b'[{"id": "<script>alert(1)</script>", "<b>bold</b>": 1}]', token)
    tally.write()
    text = staff.get(PAGE).content.decode()
    assert "<script>alert" not in text
    assert "<b>bold" not in text


def test_an_unknown_key_is_imported_from_where_it_is_shown(world: World, staff: Client, token: str) -> None:
    send([make_event(api_key_id=SECRET)], token)
    tally.write()
    text = staff.get(PAGE).content.decode()
    assert f'href="{PAGE}?key={SEEN}#import"' in text
    assert f"Seen as {SEEN}" in page(staff, f"?key={SEEN}")
    fields = {"key": SEEN, "email": "Rita@acme.test", "name": "From the old gateway", "digest": DIGEST.upper()}
    assert "imported" in words(staff.post(KEYS, fields, follow=True))  # type: ignore[arg-type]
    imported = APIKey.objects.get(user=world.rita)
    assert (bytes(imported.digest).hex(), imported.name) == (DIGEST, "From the old gateway")
    assert not UnknownKey.objects.exists()
    entry = AuditEvent.objects.get(event="api_key.created")
    assert (entry.actor, entry.organization, entry.details["imported"]) == (world.charlie, world.acme, True)
    assert send([make_event()], SECRET) == ["accepted"]
    assert "This key is here already." in words(staff.post(KEYS, fields, follow=True))  # type: ignore[arg-type]
    assert APIKey.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"email": "nobody@acme.test"}, "Nobody here has the email"),
        ({"digest": SECRET}, "Enter the 64 hexadecimal digits"),
        ({"digest": "0" * 64}, f"the one that was seen begins with {SEEN}"),
        ({"name": ""}, "This field is required."),
        ({"name": SECRET}, "This looks like a secret."),
    ],
    ids=str,
)
def test_a_key_that_cannot_be_imported_is_said_and_nothing_is_stored(
    staff: Client, changed: dict[str, str], sentence: str
) -> None:
    fields = {"key": SEEN, "email": "rita@acme.test", "name": "Old", "digest": DIGEST, **changed}
    assert sentence in words(staff.post(KEYS, fields))  # type: ignore[arg-type]
    assert not APIKey.objects.exists()


def test_what_looks_like_an_id_of_ours_has_nothing_to_import(staff: Client, token: str) -> None:
    send([make_event(api_key_id="key_0123456789abcdefg")], token)
    found = page(staff)
    assert "key_0123456789abcdefg gateway 1" in found
    assert "No key has this id" in found


def test_a_model_without_a_price_leads_to_the_form_with_it_filled_in(staff: Client, token: str, key: APIKey) -> None:
    send([make_event(api_key_id=key.public_id, model="nobody-sells-this")], token)
    roll_up()
    text = staff.get(PAGE).content.decode()
    assert "/settings/prices/change/?model=nobody-sells-this&amp;line_item=" in text


def test_a_test_event_goes_the_way_of_its_key_and_is_on_record(world: World, staff: Client) -> None:
    key = make_key(world.rita)
    fields = {"api_key": key.public_id, "model": "gpt-4o", "input_tokens": "11", "output_tokens": "7"}
    found = words(staff.post(TEST, fields, follow=True))  # type: ignore[arg-type]
    assert '{"accepted":1,"duplicates":0,"rejected":0,"results":[{"index":0,"status":"accepted"}]}' in found
    assert "Stored in Acme . It shows on Activity within seconds." in found
    event = UsageEvent.objects.get()
    assert (event.organization_id, event.user_id, event.api_key_id) == (world.acme.pk, world.rita.pk, key.pk)
    assert (event.input_tokens, event.output_tokens) == (11, 7)
    entry = AuditEvent.objects.get(event="usage.test_event_sent")
    assert (entry.actor, entry.organization, entry.target_id) == (world.charlie, world.acme, key.public_id)
    assert entry.details["answer"] == "accepted"
    assert "Test form API keys 1" in page(staff)


def test_once_it_is_counted_a_test_event_has_a_link_for_those_who_may_follow_it(
    world: World, client_of: SignIn, staff: Client
) -> None:
    fields = {"api_key": make_key(world.rita).public_id, "model": "gpt-4o", "input_tokens": "11", "output_tokens": "7"}
    staff.post(TEST, fields)
    roll_up()
    assert "Counted in Acme , where its members see it on Activity." in page(staff)
    join(world.charlie, world.acme, role="reader")
    day = UsageEvent.objects.get().occurred_at.date()
    address = f"/settings/organization/acme/usage/activity/?day={day}&model=gpt-4o"
    assert html.escape(address) in staff.get(PAGE).content.decode()
    assert "gpt-4o" in words(staff.get(address))  # type: ignore[arg-type]


def test_a_test_event_of_a_key_that_is_no_more_says_why(world: World, staff: Client) -> None:
    key = make_key(world.rita)
    APIKey.objects.filter(pk=key.pk).update(revoked_at=database_now())
    fields = {"api_key": key.public_id, "model": "gpt-4o", "input_tokens": "11", "output_tokens": "7"}
    found = words(staff.post(TEST, fields, follow=True))  # type: ignore[arg-type]
    assert "This key opens nothing" in found
    assert "It was not stored." in found
    assert num_events() == 0


@pytest.mark.parametrize(
    "changed",
    [{"api_key": "key_nobody"}, {"api_key": "\0"}, {"input_tokens": "-1"}, {"output_tokens": "many"}, {"model": ""}],
    ids=str,
)
def test_a_test_event_that_makes_no_sense_sends_nothing(world: World, staff: Client, changed: dict[str, str]) -> None:
    fields = {"api_key": make_key(world.rita).public_id, "model": "m", "input_tokens": "1", "output_tokens": "1"}
    assert 'class="field-error"' in staff.post(TEST, {**fields, **changed}).content.decode()
    assert num_events() == 0


def test_each_part_wants_its_own_right(world: World, client_of: SignIn, token: str) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    send([make_event(api_key_id=SECRET)], token)
    tally.write()

    def client(*rights: str) -> Client:
        world.bob.user_permissions.set(Permission.objects.filter(codename__in=rights))
        return client_of(User.objects.get(pk=world.bob.pk))

    assert [client().get(PAGE).status_code, client("add_apikey").get(PAGE).status_code] == [403, 403]
    for address in (KEYS, TEST):
        assert client("view_ingestcount").post(address).status_code == 403
    text = client("view_ingestcount").get(PAGE).content.decode()
    assert "Send a test event</h2>" not in text
    assert "Import a key</h2>" not in text
    assert ">Import</a>" not in text
    text = client("view_ingestcount", "add_apikey", "add_usageevent").get(PAGE).content.decode()
    assert all(part in text for part in ("Send a test event</h2>", "Import a key</h2>", ">Import</a>"))


def test_it_exists_for_staff_alone_and_with_a_second_factor(
    world: World, client_of: SignIn, staff: Client, settings: Settings
) -> None:
    assert client_of(world.alice).get(PAGE).status_code == 404
    assert client_of(world.alice).get(PAGE, {"format": "json"}).status_code == 404
    assert Client().get(PAGE).status_code == 302
    settings.STAFF_SECOND_FACTOR = True
    for answer in (staff.get(PAGE), staff.get(PAGE, {"format": "json"}), staff.post(TEST), staff.post(KEYS)):
        assert answer.status_code == 403
        assert "second factor" in answer.content.decode().lower()


def test_its_number_of_queries_does_not_grow_with_what_it_shows(staff: Client, token: str, world: World) -> None:
    def num_queries() -> int:
        tally.write()
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(PAGE).status_code == 200
        return len(queries)

    send([make_event(api_key_id="sk-1")], token)
    few = num_queries()
    for number in range(10):
        other = make_token(f"token {number}")
        key = make_key(world.rita, f"key {number}")
        send([make_event(id=f"event-{number}", api_key_id=key.public_id), make_event(api_key_id=f"sk-{number}")], other)
        send([make_event(id="far", api_key_id=key.public_id, timestamp=days_ago(1000))], other)
    assert IngestToken.objects.count() == 11
    assert num_queries() == few
