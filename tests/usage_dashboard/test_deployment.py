"""Containers, units of systemd, the Procfile and the launcher start the same programs; their files are what their readers take.

`compose-spec.json` is the schema of Compose files as the Compose Specification publishes it (Apache License 2.0).
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from django.conf import settings

from usage_dashboard import settings as product
from usage_dashboard.machine.launcher import Plan, programs

ROOT: Final = Path(settings.BASE_DIR)
UNITS: Final = ROOT / "docs" / "systemd"
CADDYFILE: Final = ROOT / "docs" / "caddy" / "Caddyfile"
INSTALLED: Final = "/opt/usage-dashboard/.venv/bin"
RUNNING: Final = ("web", "worker", "deliveries", "beat")
VARIABLE: Final = re.compile(r"\$\{?([A-Z_]+)(?::-[^}]*)?\}?")
Unit = dict[str, list[str]]


def words(command: str) -> list[str]:
    """A command's words, with variables by their names and without their defaults."""
    return shlex.split(VARIABLE.sub(r"$\1", command))


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


def unit(name: str) -> Unit:
    """The lines of a unit by key, whatever their section."""
    found: Unit = {}
    for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def started_by(name: str) -> list[list[str]]:
    """The commands of a unit, as they would stand in the Procfile."""
    return [words(line.removeprefix(f"{INSTALLED}/").replace("%%", "%")) for line in unit(name)["ExecStart"]]


def test_containers_run_the_commands_of_the_procfile() -> None:
    services = compose()["services"]
    commands = procfile()
    for name in ("worker", "deliveries", "beat"):
        assert services[name]["command"] == words(commands[name])
    shell, option, both = services["migrate"]["command"]
    assert (shell, option) == ("sh", "-c")
    assert commands["release"].startswith(f"{both} && ")  # the static files are in the image
    (web,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "command" not in services["web"]
    assert words(json.loads(web)[2])[1:] == words(commands["web"])


@pytest.mark.parametrize("name", RUNNING)
def test_units_run_the_commands_of_the_procfile(name: str) -> None:
    assert started_by(f"usage-dashboard-{name}.service") == [words(procfile()[name])]


def test_the_unit_of_a_release_does_what_the_procfile_does() -> None:
    both = [words(each) for each in procfile()["release"].split(" && ")]
    assert started_by("usage-dashboard-release.service") == both


@pytest.mark.parametrize("name", RUNNING)
def test_the_launcher_which_tests_start_runs_the_same(name: str, tmp_path: Path) -> None:
    plan = Plan(data_dir=tmp_path, port=8123, host="127.0.0.9")
    given = {
        "$WEB_HOST": plan.host,
        "$PORT": str(plan.port),
        "$WEB_WORKERS": str(settings.WEB_WORKERS),
        "$WEB_CONNECTIONS": str(settings.WEB_CONNECTIONS),
    }
    expected = [given.get(word, word) for word in words(procfile()[name])]
    assert sorted(programs(plan)[name][1:]) == sorted(expected)


def test_units_give_every_variable_of_their_commands_a_value_that_the_operator_may_change() -> None:
    for path in UNITS.glob("*.service"):
        found = unit(path.name)
        given = {word.split("=")[0] for line in found["Environment"] for word in line.split()}
        if path.stem.removeprefix("usage-dashboard-") in RUNNING:
            assert {word[1:] for word in started_by(path.name)[0] if word.startswith("$")} <= given
        assert list(found).index("EnvironmentFile") > list(found).index("Environment")
        assert found["EnvironmentFile"] == ["/etc/usage-dashboard.env"]
        assert found["User"] == ["usage-dashboard"]


def test_one_target_starts_them_after_the_schema_is_there() -> None:
    wanted = unit("usage-dashboard.target")["Wants"][0].split()
    assert wanted == [f"usage-dashboard-{name}.service" for name in RUNNING]
    for name in wanted:
        found = unit(name)
        assert found["Requires"] == ["usage-dashboard-release.service"]
        assert "usage-dashboard-release.service" in found["After"][0].split()
        assert found["PartOf"] == ["usage-dashboard.target"]
        assert found["Restart"] == ["always"]


def test_the_schema_waits_for_a_database_of_the_same_machine_that_is_still_starting(tmp_path: Path) -> None:
    found = unit("usage-dashboard-release.service")
    assert {"postgresql.service", "redis-server.service", "valkey.service"} <= set(found["After"][0].split())
    (shell, option, loop) = shlex.split(found["ExecStartPre"][0])
    python, sleep = tmp_path / ".venv" / "bin" / "python", tmp_path / "sleep"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@" >> asked\ntest "$(wc -l < asked)" -ge 3\n')
    sleep.write_text("#!/bin/sh\n")
    for program in (python, sleep):
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run([shell, option, loop], cwd=tmp_path, env={"PATH": path}, timeout=60, check=True)
    assert (tmp_path / "asked").read_text().splitlines() == ["manage.py migrate --plan"] * 3


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With its own program, where there is one; it looks for the programs that units start, so these are found here."""
    names = sorted(path.name for path in UNITS.iterdir())
    here = {INSTALLED: str(Path(sys.executable).parent), "/opt/usage-dashboard": str(ROOT)}
    for name in names:
        text = (UNITS / name).read_text(encoding="utf-8")
        for there, place in here.items():
            text = text.replace(there, place)
        (tmp_path / name).write_text(text)
    assert all(re.fullmatch(r"\[(Unit|Service|Timer|Install)\]|[A-Z]\w+=.+|#.*|", line) for line in _lines(names))
    systemd_analyze = shutil.which("systemd-analyze")
    if systemd_analyze:
        done = subprocess.run(
            [systemd_analyze, "verify", "--man=no", *(str(tmp_path / name) for name in names)],
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, [line for line in done.stderr.splitlines() if "usage-dashboard" in line]) == (0, [])


def _lines(names: list[str]) -> list[str]:
    return [line for name in names for line in (UNITS / name).read_text(encoding="utf-8").splitlines()]


def test_a_backup_is_made_each_night() -> None:
    (backup, clean_up) = unit("usage-dashboard-backup.service")["ExecStart"]
    assert ".venv/bin/python manage.py backup" in backup
    assert clean_up.startswith("/usr/bin/find /var/lib/usage-dashboard-backups ")
    assert unit("usage-dashboard-backup.timer")["OnCalendar"] == ["*-*-* 01:00:00 UTC"]


def test_the_containers_file_keeps_to_its_published_form() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(compose())] == []
    wrong = compose()
    wrong["services"]["web"]["port"] = ["8000:8000"]
    assert list(validator.iter_errors(wrong))


def test_the_proxy_is_there_if_it_is_asked_for_and_web_is_not_open_past_it() -> None:
    services = compose()["services"]
    assert [name for name, service in services.items() if "profiles" in service] == ["proxy"]
    proxy = services["proxy"]
    assert proxy["profiles"] == ["proxy"]
    assert "./docs/caddy/Caddyfile:/etc/caddy/Caddyfile:ro" in proxy["volumes"]
    assert proxy["environment"]["WEB_UPSTREAM"] == "web:${PORT:-8000}"
    assert services["web"]["ports"] == ["${WEB_BIND:-127.0.0.1}:${PORT:-8000}:${PORT:-8000}"]
    volumes = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {name for name in volumes if "/" not in name} == compose()["volumes"].keys()


def test_the_proxy_gives_web_whole_bodies_and_no_larger_ones_than_web_takes() -> None:
    text = CADDYFILE.read_text(encoding="utf-8")
    most = f"{{$EVENTS_BODY_MAX_BYTES:{product.EVENTS_BODY_MAX_BYTES}}}"
    of_batch = f"{{$OPERATOR_BATCH_MAX_BYTES:{product.OPERATOR_BATCH_MAX_BYTES}}}"
    said = [("max_size", of_batch), ("max_size", most), ("request_buffers", most)]
    assert re.findall(r"(max_size|request_buffers) (\S+)", text) == said
    assert "@batch path /v1/operator/batch\n" in text
    assert "@others not path /v1/operator/batch\n" in text
    assert text.count("{") == text.count("}")
    given = compose()["services"]["proxy"]["environment"]
    assert set(re.findall(r"\{\$(\w+)", text)) == given.keys()
    assert given["OPERATOR_BATCH_MAX_BYTES"] == f"${{OPERATOR_BATCH_MAX_BYTES:-{product.OPERATOR_BATCH_MAX_BYTES}}}"
    assert given["EVENTS_BODY_MAX_BYTES"] == f"${{EVENTS_BODY_MAX_BYTES:-{product.EVENTS_BODY_MAX_BYTES}}}"
    caddy = shutil.which("caddy")
    if caddy:  # its own program, where there is one
        own = {
            "SITE_ADDRESS": "https://usage.example.com",
            "WEB_UPSTREAM": "web:8000",
            "EVENTS_BODY_MAX_BYTES": "7",
            "OPERATOR_BATCH_MAX_BYTES": "8",
        }
        environment = {**os.environ, **own}
        command = [caddy, "adapt", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert '"host":["usage.example.com"]' in done.stdout
        assert '"dial":"web:8000"' in done.stdout
        assert '"max_size":7' in done.stdout
