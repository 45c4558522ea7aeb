"""`manage.py sync`: a file says what shall be; the plan is shown first, and a second run has nothing to do."""

import re
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, Organization, RoutingVersion, User
from apikeys import secrets
from apikeys.models import APIKey, IngestToken
from tests.world import World
from usage_dashboard.provisioning import apply
from usage_dashboard.provisioning.lines import Line
from usage_dashboard.provisioning.sync_file import UnreadableFileError, read

FILE = """
organizations:
  c1: {name: Customer 1, billing_details: {legal_name: Customer GmbH, tax_rate: 0.19}}
  c2: {name: Customer 2, parent: c1}
users:
  7: {email: seven@many.test}
memberships:
  m1: {user: 7, organization: c1, role: owner, effective_at: 2026-01-01T00:00:00Z}
projects:
  p1: {organization: c1, name: Checkout}
api_keys:
  k1: {user: 7, name: Laptop, attribution: {organization: c1, project: p1}}
ingest_tokens:
  t1: {name: Gateway}
"""


def sync(path: Path, text: str, *arguments: str) -> str:
    path.write_text(text)
    out = StringIO()
    call_command("sync", str(path), *arguments, stdout=out)
    return out.getvalue()


def read_file(path: Path, text: str) -> list[Line]:
    path.write_text(text)
    return read(path)


@pytest.fixture
def file(db: None, tmp_path: Path) -> Path:
    return tmp_path / "customers.yaml"


def test_the_plan_changes_nothing_and_says_what_would_be(file: Path) -> None:
    events = AuditEvent.objects.count()
    shown = sync(file, FILE)
    assert "create: 2 organizations, 1 users, 1 memberships, 1 projects, 1 api keys, 1 ingest tokens" in shown
    assert "+ organizations c1 (Customer 1)" in shown
    assert "unchanged: 0" in shown
    assert "With --apply it is." in shown
    assert not Organization.objects.filter(external_id__isnull=False).exists()
    assert AuditEvent.objects.count() == events


def test_applied_it_is_so_and_a_second_run_has_nothing_to_do(file: Path) -> None:
    shown = sync(file, FILE, "--apply")
    made = dict(re.findall(r"(\w+ \w+): ((?:sk|it)-\w+)", shown))
    assert bytes(APIKey.objects.get(external_id="k1").digest) == secrets.digest(made["api_keys k1"])
    assert bytes(IngestToken.objects.get().digest) == secrets.digest(made["ingest_tokens t1"])
    assert User.objects.get(external_id="7").default_organization == Organization.objects.get(external_id="c1")
    events, version = AuditEvent.objects.count(), RoutingVersion.objects.get().version
    for arguments in ((), ("--apply",)):
        again = sync(file, FILE, *arguments)
        assert "Nothing to do." in again
        assert "unchanged: 7" in again
    assert (AuditEvent.objects.count(), RoutingVersion.objects.get().version) == (events, version)


class Terminal(StringIO):
    """What is written, and how many ingest tokens there were when each secret was."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[int] = []

    def write(self, text: str) -> int:
        if re.match(r"ingest_tokens t\d: it-", text):
            self.tokens.append(IngestToken.objects.count())
        return super().write(text)


def test_secrets_are_printed_before_the_next_lines_are_carried_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "SET_SIZE", 1)
    file.write_text("ingest_tokens:\n  t1: {name: One}\n  t2: {name: Two}\n")
    out = Terminal()
    call_command("sync", str(file), "--apply", stdout=out)
    assert out.tokens == [1, 2]


def test_what_changes_and_ends_is_told_apart(file: Path) -> None:
    sync(file, FILE, "--apply")
    text = FILE.replace("Customer 2", "Renamed").replace("k1: {user: 7, name: Laptop,", "k1: {ended: true} #")
    shown = sync(file, text, "--apply")
    assert "change: 1 organizations\n  ~ organizations c2 (Renamed)" in shown
    assert "end: 1 api keys\n  - api keys k1" in shown
    assert "unchanged: 5" in shown
    assert APIKey.objects.get(external_id="k1").revoked_at is not None


def test_what_the_file_does_not_name_stays(file: Path, world: World) -> None:
    sync(file, FILE, "--apply")
    assert "Nothing to do." in sync(file, "organizations:\n  c1: {name: Customer 1}\nusers:\n")
    assert Organization.objects.get(external_id="c2").ended_at is None


def test_numbers_that_are_texts_are_read_as_they_are_written(file: Path) -> None:
    sync(file, 'organizations:\n  "0017": {name: 0042}\n  "1_000": {name: 12:30.5, parent: "0017"}\n', "--apply")
    found = Organization.objects.filter(external_id__isnull=False).order_by("external_id")
    assert list(found.values_list("external_id", "name")) == [("0017", "0042"), ("1_000", "12:30.5")]
    assert found[1].parent == found[0]


@pytest.mark.parametrize("written", ["0017", "0x1F", "0b11", "1_000", "+14", "12:30", "12:30.5", "1_0.5", ".inf"])
def test_an_id_that_readers_of_yaml_take_for_another_number_wants_quotes(file: Path, written: str) -> None:
    with pytest.raises(CommandError, match=re.escape(f"organizations: put the id “{written}” between quotes")):
        sync(file, f"organizations: {{{written}: {{name: Customer}}}}", "--apply")
    with pytest.raises(CommandError, match=r"organizations c: parent: .* between quotes"):
        sync(file, f"organizations: {{c: {{name: Customer, parent: {written}}}}}", "--apply")
    assert not Organization.objects.filter(external_id__isnull=False).exists()


def priced(written: str) -> str:
    return f"""
organizations:
  c:
    name: Customer
    billing_details: {{due_days: +14}}
    prices: [{{model: gpt-5, line_item: input, effective_date: 2099-01-01, {written}}}]
"""


@pytest.mark.parametrize(
    ("written", "price", "per"),
    [
        ("unit_price: 1_000.50, per: 1_000_000", "1000.50", 1_000_000),
        ("unit_price: 1_000, per: +1", "1000", 1),
        ("unit_price: +0.25, per: 1000", "0.25", 1000),
        ("unit_price: .5, per: 1", "0.5", 1),
    ],
)
def test_numbers_may_be_written_readably(file: Path, written: str, price: str, per: int) -> None:
    (line,) = read_file(file, priced(written))
    assert line.fields["billing_details"]["due_days"] == 14
    assert (line.fields["prices"][0]["unit_price"], line.fields["prices"][0]["per"]) == (Decimal(price), per)


@pytest.mark.parametrize(
    "written", ["unit_price: 12:30.5", "unit_price: 12:30", "unit_price: 014", "unit_price: 1, per: 0x1"]
)
def test_numbers_that_readers_of_yaml_do_not_agree_on_are_none(file: Path, written: str) -> None:
    with pytest.raises(UnreadableFileError, match=r"organizations c: prices\.0\.(unit_price|per): "):
        read_file(file, priced(written))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no kinds at its top"),
        ("- a", "no kinds at its top"),
        ("a: [", "could not be read"),
        ("\0", "could not be read"),
        ("planets: {}", "no kind “planets”"),
        ("users: [a]", "under each of your ids"),
        ("users: {u: {email: nobody}}", "users u: email:"),
        ("users: {u: [a]}", "This is no JSON object."),
        ("users: {1.5: {email: a@b.test}}", "put the id “1.5” between quotes"),
        ("organizations: {c: {name: true}}", "organizations c: name: This is a text, between quotes."),
        ("users: {u: {ended: maybe}}", "true or false"),
        ("users: {'a b': {email: a@b.test}}", "An id has 1 to 100"),
        ("memberships: {m: {user: u, organization: c, role: owner, effective_at: 2026-01-01}}", "effective_at"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_line_by_line(file: Path, text: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        sync(file, text, "--apply")
    assert not User.objects.filter(external_id__isnull=False).exists()


def test_if_some_of_it_cannot_be_nothing_is_done(file: Path) -> None:
    file.write_text(FILE.replace("parent: c1", "parent: nobody"))
    out = StringIO()
    with pytest.raises(CommandError, match="some of it cannot be"):
        call_command("sync", str(file), "--apply", stdout=out)
    assert (
        "refuse: 1 organizations\n  ! organizations c2 (Customer 2): There is nothing with the id “nobody”"
        in out.getvalue()
    )
    assert not Organization.objects.filter(external_id__isnull=False).exists()


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be read"):
        call_command("sync", str(tmp_path / "none.yaml"))
