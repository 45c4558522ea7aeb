"""`import_api_keys FILE`: historical keys, all of them or none."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apikeys import secrets
from apikeys.models import APIKey, TrackingChange
from tests.world import World

SECRET = secrets.make_api_key_secret()
DIGEST = secrets.digest(secrets.make_api_key_secret()).hex()
HEADER = "email,name,created,secret,digest\n"


def run(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str] | None = None) -> str:
    file = tmp_path / "keys.csv"
    file.write_text(text, encoding="utf-8")
    call_command("import_api_keys", str(file))
    return capsys.readouterr().out if capsys else ""


def test_keys_come_in_by_secret_or_digest_and_are_tracked_by_their_date(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = f"Rita@acme.test,old,2023-12-20,{SECRET},\nbob@acme.test,new,2023-12-21T00:00:00Z,,{DIGEST.upper()}\n"
    assert run(tmp_path, HEADER + lines, capsys) == "2 imported, 0 already here.\n"
    old, new = APIKey.objects.order_by("created_at")
    assert (old.user, old.tracked, bytes(old.digest)) == (world.rita, False, secrets.digest(SECRET))
    assert (new.user, new.tracked, bytes(new.digest).hex()) == (world.bob, True, DIGEST)
    assert old.redacted == secrets.redact(SECRET)
    assert list(TrackingChange.objects.order_by("id").values_list("tracked", flat=True)) == [False, True]


def test_the_same_file_again_changes_nothing(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{HEADER}rita@acme.test,old,2023-01-01,{SECRET},\n"
    run(tmp_path, text, capsys)
    assert run(tmp_path, text, capsys) == "0 imported, 1 already here.\n"
    assert APIKey.objects.count() == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"nobody@acme.test,x,2023-01-01,{SECRET},", "nobody here"),
        (f"rita@acme.test,,2023-01-01,{SECRET},", "Enter a name"),
        (f"rita@acme.test,{SECRET},2023-01-01,{SECRET},", "looks like a secret"),
        (f"rita@acme.test,x,20.12.2023,{SECRET},", "is a date"),
        (f"rita@acme.test,x,2999-01-01,{SECRET},", "in the future"),
        (f"rita@acme.test,x,2023-01-01,{SECRET},{DIGEST}", "either a secret or a digest"),
        ("rita@acme.test,x,2023-01-01,,", "either a secret or a digest"),
        ("rita@acme.test,x,2023-01-01,,abc", "64 hexadecimal"),
        (f"rita@acme.test,x,2023-01-01,,{DIGEST}", "earlier line"),
        ("rita@acme.test", "Enter a name"),
    ],
    ids=range(10),
)
def test_a_bad_line_is_named_and_nothing_is_imported(world: World, tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as caught:
        run(tmp_path, f"{HEADER}rita@acme.test,good,2023-01-01,,{DIGEST}\n{line}\n")
    assert "Line 3" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not APIKey.objects.exists()


@pytest.mark.parametrize("text", ["", "secret\nx\n", "\ufeffemail;name;created\n"])
def test_a_file_without_the_columns_is_refused(world: World, tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandError, match="missing"):
        run(tmp_path, text)


def test_a_file_that_is_not_there_or_no_text_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"email,name,created\n\xff\xfe")
    for name in ("nothing.csv", "binary.csv"):
        with pytest.raises(CommandError, match="could not be read"):
            call_command("import_api_keys", str(tmp_path / name))
