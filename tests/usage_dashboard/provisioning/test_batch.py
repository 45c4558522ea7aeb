"""A batch: many things at once, each answered in its place, and again without a change."""

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import AuditEvent, Membership, Organization, RoutingVersion, User
from apikeys import secrets
from apikeys.models import APIKey, IngestToken
from tests.provisioning import Operator, operator, refusal

Answer = dict[str, Any]
ENDING_SQL = """
CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NEW;
END $$;
CREATE TRIGGER ends BEFORE INSERT ON apikeys_ingesttoken FOR EACH ROW WHEN (NEW.name = 'Fatal') EXECUTE FUNCTION end_session()
"""


def batch(program: Operator, *lines: object) -> list[Answer]:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    answer = program.client.post(
        "/v1/operator/batch",
        body,
        content_type="application/x-ndjson",
        headers={"Authorization": f"Bearer {program.secret}"},
    )
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[attr-defined]


def outcomes(answers: list[Answer]) -> list[str]:
    return [answer["error"]["code"] if "error" in answer else answer["status"] for answer in answers]


def customer(number: int) -> list[dict[str, object]]:
    """The lines of a customer, the dependent ones first."""
    digest = hashlib.sha256(f"sk-{number}".encode()).hexdigest()
    return [
        {"kind": "api_keys", "external_id": f"k{number}", "user": f"u{number}", "name": "Key", "digest": digest},
        {
            "kind": "memberships",
            "external_id": f"m{number}",
            "user": f"u{number}",
            "organization": f"c{number}",
            "role": "owner",
        },
        {"kind": "users", "external_id": f"u{number}", "email": f"u{number}@many.test"},
        {"kind": "organizations", "external_id": f"c{number}", "name": f"Customer {number}"},
    ]


@pytest.fixture
def program(db: None) -> Operator:
    return operator()


def test_a_line_may_name_what_a_later_one_makes(program: Operator) -> None:
    answers = batch(program, *customer(1))
    assert [(answer["line"], answer["status"]) for answer in answers] == [(n, "created") for n in range(1, 5)]
    assert answers[0]["id"] == APIKey.objects.get(external_id="k1").public_id
    assert User.objects.get(external_id="u1").default_organization == Organization.objects.get(external_id="c1")
    events, version = AuditEvent.objects.count(), RoutingVersion.objects.get().version
    assert set(outcomes(batch(program, *customer(1)))) == {"unchanged"}
    assert (AuditEvent.objects.count(), RoutingVersion.objects.get().version) == (events, version)


def test_one_bad_line_harms_no_other(program: Operator) -> None:
    batch(program, *customer(99))
    bad: list[object] = [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"kind": "users", "external_id": "n", "email": "a\x00@b.test"}',
        {"kind": "users", "external_id": "n", "email": "a\0@b.test"},
        {"kind": "users", "external_id": "a b", "email": "x@b.test"},
        {"kind": "users", "external_id": 5, "email": "x@b.test"},
        {"kind": "planets", "external_id": "n"},
        {"kind": ["users"], "external_id": "n"},
        {"kind": "users", "external_id": "n", "delete": "yes"},
        {"kind": "users", "external_id": "nobody", "delete": True},
        {"kind": "memberships", "external_id": "n", "user": "u1", "organization": "nowhere", "role": "owner"},
        {"kind": "users", "external_id": "other", "email": "U99@many.test"},
        b'{"kind": "users", "external_id": "n", "email": "\\ud800@b.test"}',
    ]
    lines = [found for pair in zip(bad, [customer(n)[3] for n in range(len(bad))], strict=True) for found in pair]
    answers = batch(program, *lines, *customer(1)[:3])
    assert [answer["line"] for answer in answers] == list(range(1, len(lines) + 4))
    assert outcomes(answers)[1 : len(lines) : 2] == ["created"] * len(bad)
    assert outcomes(answers)[-3:] == ["created", "created", "created"]
    assert outcomes(answers)[: len(lines) : 2] == [
        *["invalid_json"] * 3,
        "invalid_request",
        "invalid_json",
        *["invalid_request"] * 6,
        "unknown_reference",
        "unknown_reference",
        "email_taken",
        "invalid_json",
    ]


def test_of_two_lines_about_one_thing_the_later_one_holds(program: Operator) -> None:
    names = ["A", "B", "C"]
    answers = batch(program, *({"kind": "organizations", "external_id": "c", "name": name} for name in names))
    assert outcomes(answers) == ["created", "changed", "changed"]
    assert Organization.objects.get(external_id="c").name == "C"
    answers = batch(
        program,
        {"kind": "organizations", "external_id": "c", "delete": True},
        {"kind": "organizations", "external_id": "c", "name": "C"},
    )
    assert outcomes(answers) == ["ended", "changed"]


def test_an_owner_goes_when_another_one_has_come_whatever_the_order(program: Operator) -> None:
    batch(program, *customer(1), *customer(2))
    answers = batch(
        program,
        {"kind": "memberships", "external_id": "m1", "user": "u1", "organization": "c1", "role": "reader"},
        {"kind": "memberships", "external_id": "x", "user": "u2", "organization": "c1", "role": "owner"},
        {"kind": "memberships", "external_id": "m2", "delete": True},
    )
    assert outcomes(answers) == ["changed", "created", "last_owner"]
    assert Membership.objects.get(external_id="m2").left_at is None


def test_owners_change_places_in_either_order(program: Operator) -> None:
    batch(program, *customer(1), *customer(2))
    said = {"kind": "memberships", "organization": "c1"}
    first, second = {**said, "external_id": "m1", "user": "u1"}, {**said, "external_id": "x", "user": "u2"}
    batch(program, {**second, "role": "reader"})
    answers = batch(program, {**first, "role": "reader"}, {**second, "role": "owner"})
    assert outcomes(answers) == ["changed", "changed"]
    answers = batch(program, {**first, "role": "reader"}, {**second, "role": "reader"})
    assert outcomes(answers) == ["unchanged", "last_owner"]


@pytest.mark.parametrize("are_there", [False, True])
def test_of_two_moves_of_one_person_the_earlier_one_sent_last_is_refused_alone(
    program: Operator, are_there: bool
) -> None:
    batch(program, *customer(1), *customer(2), *customer(3))
    now = database_now()

    def place(number: int, hours: int, **said: object) -> dict[str, object]:
        moment = (now - timedelta(hours=hours)).isoformat()
        found = {"kind": "memberships", "user": "mover", "organization": f"c{number}", "role": "reader"}
        return {**found, "external_id": f"of{number}", "effective_at": moment, **said}

    batch(program, {"kind": "users", "external_id": "mover", "email": "mover@many.test"}, place(1, 48))
    if are_there:
        assert outcomes(batch(program, place(2, 47), place(3, 46))) == ["created", "created"]
    answers = batch(program, place(2, 1, is_default=True), place(3, 2, is_default=True), customer(4)[2])
    assert outcomes(answers) == ["changed" if are_there else "created", "invalid_effective_at", "created"]
    home = User.objects.get(external_id="mover").default_organization
    assert home == Organization.objects.get(external_id="c2")


def test_beyond_its_lines_nothing_is_read(program: Operator, settings: Settings) -> None:
    settings.OPERATOR_BATCH_MAX_LINES = 2
    lines = [{"kind": "organizations", "external_id": f"c{n}", "name": "C"} for n in range(3)]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert refusal(program.ask("POST", "batch", body)) == (413, "too_many_lines")
    assert not Organization.objects.filter(external_id__isnull=False).exists()
    assert outcomes(batch(program, lines[0], b"", b"  ", lines[1], b"")) == ["created", "created"]
    assert refusal(program.ask("POST", "batch", b"\n \n")) == (400, "invalid_request")
    assert refusal(program.ask("POST", "batch", b"")) == (400, "invalid_request")


def test_each_line_needs_its_scope(db: None) -> None:
    answers = batch(operator("users"), customer(1)[3], customer(1)[2])
    assert outcomes(answers) == ["missing_scope", "created"]
    assert answers[0]["error"]["param"] == "organizations"
    assert Client().post("/v1/operator/batch", b"{}", content_type="text/plain").status_code == 401


def test_many_take_as_many_queries_as_few(program: Operator) -> None:
    few = queries_of(lambda: batch(program, *customer(0), *customer(1)))
    many = queries_of(lambda: batch(program, *(line for n in range(2, 62) for line in customer(n))))
    again = queries_of(lambda: batch(program, *(line for n in range(2, 62) for line in customer(n))))
    assert many <= few + 5
    assert again < few


@pytest.fixture
def ends_the_session(transactional_db: None) -> Iterator[str]:
    """The name of an ingest token whose making ends the session of PostgreSQL that makes it."""
    with connection.cursor() as cursor:
        cursor.execute(ENDING_SQL)
    yield "Fatal"
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION end_session() CASCADE")


@pytest.mark.django_db(transaction=True)
def test_what_was_made_before_the_database_went_away_is_answered_with_its_secret(ends_the_session: str) -> None:
    program = operator()
    lines: list[dict[str, object]] = [
        {"kind": "ingest_tokens", "external_id": "t", "name": ends_the_session},
        {"kind": "organizations", "external_id": "c1", "delete": True},
        {"kind": "api_keys", "external_id": "k1", "user": "u1", "name": "Made here"},
        *customer(1)[1:3],
        {"kind": "organizations", "external_id": "c2", "name": "Two"},
    ]
    batch(program, customer(1)[3])
    answers = batch(program, *lines)
    assert outcomes(answers) == ["unavailable", "unavailable", "created", "created", "created", "created"]
    assert bytes(APIKey.objects.get(external_id="k1").digest) == secrets.digest(answers[2]["secret"])
    assert "may not have been changed" in answers[0]["error"]["message"]
    assert Organization.objects.get(external_id="c1").ended_at is None
    again = batch(program, {**lines[0], "name": "Harmless"}, *lines[2:])
    assert outcomes(again) == ["created", *["unchanged"] * 4]


@pytest.mark.django_db(transaction=True)
def test_a_single_thing_that_the_database_did_not_store_is_to_be_sent_again(ends_the_session: str) -> None:
    answer = operator().put("ingest_tokens/t", name=ends_the_session)
    assert refusal(answer) == (503, "unavailable")
    assert not IngestToken.objects.exists()


def queries_of(act: Any) -> int:
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


@pytest.mark.django_db(transaction=True)
def test_two_clients_that_contradict_each_other_leave_what_one_of_them_said() -> None:
    programs = [operator(), operator()]
    answers: dict[int, list[Answer]] = {}

    def send(place: int) -> None:
        lines = [
            {"kind": "users", "external_id": f"u{n}", "email": f"u{n}@many.test", "name": f"of {place}"}
            for n in range(40)
        ]
        answers[place] = batch(programs[place], *lines)
        connection.close()

    threads = [threading.Thread(target=send, args=[place]) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([set(outcomes(found)).pop() for found in answers.values()]) == ["changed", "created"]
    assert len(set(User.objects.filter(external_id__isnull=False).values_list("name", flat=True))) == 1
