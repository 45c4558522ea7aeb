"""The commands around ingest tokens: listed, and revoked with the next request."""

import builtins
import io
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.models import AuditEvent
from apikeys.models import APIKey, IngestToken
from tests.engine import error_of, make_event, make_token, send
from tests.world import World

REFUSED = (401, "unauthenticated")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """What the person at the terminal types; None is nobody there."""

    def answer(text: str | None) -> None:
        def typed(*_prompt: object) -> str:
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr(builtins, "input", typed)

    return answer


def run(name: str, *arguments: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_tokens_are_listed_without_their_secrets(db: None) -> None:
    secrets = [make_token("first"), make_token("second")]
    run("revoke_ingest_token", "first", "--yes")
    newest, oldest = run("list_ingest_tokens").splitlines()
    first, second = IngestToken.objects.order_by("id")
    assert newest.split("  ")[:3] == [str(second.pk), "second", second.redacted]
    assert newest.endswith("in use")
    assert oldest.split("  ")[:3] == [str(first.pk), "first", first.redacted]
    assert f"revoked {first.revoked_at:%Y-%m-%d %H:%M} UTC" in oldest
    assert not any(secret in newest + oldest for secret in secrets)


@pytest.mark.parametrize("by", ["name", "number"])
def test_the_very_next_request_with_a_revoked_token_is_refused(token: str, key: APIKey, by: str) -> None:
    """The token is one that this process knows and remembers."""
    other = make_token("other")
    event = make_event(api_key_id=key.public_id)
    assert send(event, token) == ["accepted"]
    found = IngestToken.objects.exclude(name="other").get()
    printed = run("revoke_ingest_token", found.name if by == "name" else str(found.pk), "--yes")
    assert found.redacted in printed
    assert error_of({**event, "id": "event-2"}, token) == REFUSED
    assert send({**event, "id": "event-2"}, other) == ["accepted"]


def test_it_asks_for_the_name(token: str, key: APIKey, answering: Callable[[str | None], None]) -> None:
    name = IngestToken.objects.get().name
    for answer in ("", "y", None):
        answering(answer)
        with pytest.raises(CommandError, match=r"Nothing was changed|--yes"):
            run("revoke_ingest_token", name)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    answering(f"{name}\n")
    run("revoke_ingest_token", name)
    assert error_of(make_event(id="event-2", api_key_id=key.public_id), token) == REFUSED


def test_the_revocation_is_in_the_audit_log_once(db: None) -> None:
    make_token("gateway")
    run("revoke_ingest_token", "gateway", "--yes")
    with pytest.raises(CommandError, match=r"was revoked on .* already"):
        run("revoke_ingest_token", "gateway", "--yes")
    entry = AuditEvent.objects.get(event="ingest_token.deleted")
    assert (entry.target_name, entry.actor_name) == ("gateway", SYSTEM_ACTOR.name)


@pytest.mark.parametrize("wanted", ["nobody", "999999", "9" * 40, "", "-1"])
def test_a_token_that_is_not_there_is_said(world: World, wanted: str) -> None:
    make_token("gateway")
    with pytest.raises(CommandError, match="There is no ingest token"):
        run("revoke_ingest_token", "--yes", "--", wanted)
    assert IngestToken.objects.get().revoked_at is None


def test_a_name_that_is_anothers_number_revokes_neither(db: None) -> None:
    make_token("first")
    number = IngestToken.objects.get().pk
    make_token(str(number))
    with pytest.raises(CommandError, match="the name of one token and the number of another"):
        run("revoke_ingest_token", str(number), "--yes")
    assert not IngestToken.objects.exclude(revoked_at=None).exists()
