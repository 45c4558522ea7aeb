"""Settings: taken as they are, said at start where they cannot be, and the same ones in documents, program and containers."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from usage_dashboard import given_addresses
from usage_dashboard import settings as product
from usage_dashboard.environment import Environment, SettingsError

DECIDED_BY_COMPOSE = {"DATA_DIR", "WEB_HOST", "DATABASE_URL", "REDIS_URL"}  # what the containers are to each other
PROGRAMS = ("migrate", "web", "worker", "deliveries", "beat")
PYTHON = (sys.executable, "-c")
READ_SETTINGS = "from django.conf import settings; settings.DEBUG"
WRONG = {
    "ALLOWED_HOSTS": "https://usage.example.com",
    "WEB_THREADS": "many",
    "WEB_CONNECTIONS": "-5",
    "PORT": "70000",
    "USAGE_EVENT_MAX_MEASURE": "1000000000000000001",
    "USAGE_EVENT_MAX_BYTES": "1000000000000000001",
    "REQUEST_BODY_TIMEOUT_SECONDS": "20s",
    "SIGN_UP_OPEN": "flase",
    "DATA_DIR": "~nobody-of-this-name/data",
    "SECRET_KEY": "",
    "DATABASE_URL": "mysql://root:hushhush@db/usage",
    "REDIS_URL": "http://:hushhush@redis:6379/0",
    "REDIS_CA_FILE": "/nowhere/ca.pem",
    "EMAIL_URL": "smpt://user:hushhush@mail:587",
    "DEFAULT_FROM_EMAIL": "Usage",
    "CSRF_TRUSTED_ORIGINS": "usage.example.com",
    "INVOICE_TAX_RATE": "19",
    "WEBHOOK_EXTRA_PORTS": "8443,http",
    "LOG_LEVEL": "loud",
    "METRICS_TOKEN": "short",
    "METRICS_ADDRESSES": "10.0.0.1/8",
    "OIDC_SERVER_URL": "login.example.com",
    "SITE_NAME": "two\nlines",
    "SITE_LOGO": "/nowhere/logo.png",
    "SITE_ICON": "/dev/null",
    "INVOICE_LOGO": "/dev/null",
    "SITE_ACCENT": "#ffff00",
    "SUPPORT_URL": "javascript:alert(1)",
    "HTTPS": "maybe",
    "SITE_ADDRESS": "usage.example.com",
}


def setting(name: str, value: str, program: str = "repr(settings.{name})") -> str:
    """What a fresh process makes of one setting."""
    code = f"from django.conf import settings; print({program.format(name=name)})"
    environment = {**os.environ, name: value}
    return subprocess.run([*PYTHON, code], env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", ["SECRET_KEY", "OPERATOR_TOKEN", "OIDC_CLIENT_SECRET", "INVOICE_SELLER_NAME"])
@pytest.mark.parametrize("value", ["$uper-secret", "$HOME", "a$b", r"\$x", "$"])
def test_a_value_that_begins_with_a_dollar_is_taken_as_it_is(name: str, value: str) -> None:
    assert Environment({name: value, "HOME": "/root"}).text(name) == value


def test_the_programs_read_a_value_that_begins_with_a_dollar_as_it_is() -> None:
    assert setting("SECRET_KEY", "$HOME and more") == "'$HOME and more'"
    assert setting("SECRET_KEY_FALLBACKS", "$old, $older") == "['$old', '$older']"
    assert setting("EMAIL_URL", "smtp://user:$HOME@mail:25", "settings.EMAIL_HOST_PASSWORD") == "$HOME"
    assert (
        setting("DATABASE_URL", "postgres://user:$HOME@db/usage", "settings.DATABASES['default']['PASSWORD']")
        == "$HOME"
    )


@pytest.mark.parametrize("value", ["a.example,b.example", " a.example , b.example ", "a.example,,b.example,\n"])
def test_spaces_in_lists_do_not_matter(value: str) -> None:
    assert given_addresses.hosts(value) == ["a.example", "b.example"]
    assert Environment({"LIST": value}).words("LIST", []) == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("https://x/", ["https://x"]),
        ("https://x/path?and=more, http://y:8080", ["https://x", "http://y:8080"]),
        ("https://*.example.com", ["https://*.example.com"]),
    ],
)
def test_of_an_address_that_is_trusted_the_origin_is_taken(value: str, origins: list[str]) -> None:
    assert given_addresses.origins(value) == origins


@pytest.mark.parametrize("name", ["*", ".example.com", "[::1]", "10.0.0.7", "usage_web"])
def test_these_are_names_of_hosts(name: str) -> None:
    assert given_addresses.hosts(name) == [name]


@pytest.mark.parametrize("name", ["https://x", "x:80", "x/", "x y", "::1", "ü.example"])
def test_these_are_no_names_of_hosts(name: str) -> None:
    with pytest.raises(ValueError, match="names alone"):
        given_addresses.hosts(name)


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://:p@h:6379/0", "rediss://h:6380/1", "redis+socket:///run/redis.sock"]
)
def test_these_are_addresses_of_redis(url: str) -> None:
    assert given_addresses.redis(url) == url


@pytest.mark.parametrize("url", ["h:6379", "http://h", "redis://", "redis://h:port", "rediss://h?ssl_cert_reqs=none"])
def test_these_are_no_addresses_of_redis(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be|has a part)"):
        given_addresses.redis(url)


@pytest.mark.parametrize(
    "url", ["h", "sqlite:///x", "postgres://h", "postgres://u:p@h:port/n", "postgres:/", "mysql://h/n"]
)
def test_these_are_no_databases(url: str) -> None:
    with pytest.raises(ValueError, match="must be postgres://"):
        given_addresses.database(url)


def test_an_empty_value_is_the_default() -> None:
    env = Environment(dict.fromkeys(("WHOLE", "NUMBER", "SWITCH", "LIST", "TEXT", "SHARE"), ""))
    values: list[Any] = [env.whole("WHOLE", 7), env.number("NUMBER", 0.5), env.switch("SWITCH", default=True)]
    values += [env.words("LIST", ["a"]), env.text("TEXT", "b"), env.share("SHARE", Decimal(1))]
    env.check()
    assert values == [7, 0.5, True, ["a"], "b", Decimal(1)]


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "-1", "many", "1,5"])
def test_a_number_is_a_number(value: str) -> None:
    env = Environment({"NUMBER": value})
    assert env.number("NUMBER", 2.5) == 2.5
    with pytest.raises(SettingsError, match="NUMBER is"):
        env.check()


@pytest.mark.parametrize("value", ["NaN", "sNaN", "-Infinity", "19", "-0.1", "19%"])
def test_a_share_is_from_nothing_to_all(value: str) -> None:
    env = Environment({"SHARE": value})
    assert env.share("SHARE", Decimal(0)) == 0
    assert len(env.problems) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "migrate"),
        ("manage.py", "run"),
        ("manage.py", "create_ingest_token", "gateway"),
        ("-m", "celery", "--app", "usage_dashboard", "worker", "--pool", "threads"),
        ("-m", "celery", "--app", "usage_dashboard", "beat"),
        ("-c", "import usage_dashboard.asgi"),
    ],
    ids=" ".join,
)
def test_every_program_says_all_that_cannot_be_at_once_and_does_not_start(command: tuple[str, ...]) -> None:
    completed = subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env={**os.environ, **WRONG},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    sentences = completed.stderr.splitlines()[1:]
    assert completed.returncode == 1
    assert sorted(sentence.split()[1] for sentence in sentences) == sorted(WRONG)
    assert all(sentence.startswith("- ") and sentence.endswith(".") for sentence in sentences)
    assert "Traceback" not in completed.stderr
    assert "hushhush" not in completed.stderr + completed.stdout


def test_web_says_it_too_and_ends() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "granian", "--interface", "asginl", "usage_dashboard.asgi:application", "--port", "0"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **WRONG, "PORT": "8000"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode != 0
    assert "- WEB_THREADS is “many”: it must be a whole number." in completed.stderr
    assert "Traceback" not in completed.stderr


def test_documents_program_and_containers_have_the_same_settings() -> None:
    """No exceptions: what one place decides, the others name. POSTGRES_PASSWORD is PostgreSQL's, not the product's."""
    documented, passed = documented_settings(), passed_settings()
    assert documented == product.env.names
    assert passed.keys() == product.env.names


def test_containers_decide_what_they_are_to_each_other_and_nothing_else() -> None:
    for name, value in passed_settings().items():
        if name in DECIDED_BY_COMPOSE:
            assert value, name
            assert f"${{{name}" not in value
        else:
            assert value is None or value.startswith(f"${{{name}:"), name


def test_every_container_of_the_product_takes_the_settings() -> None:
    for program in PROGRAMS:
        service = compose()["services"][program]
        assert service["environment"] == passed_settings()
        assert service["env_file"] == [{"path": ".env", "required": False}]


def documented_settings() -> set[str]:
    """The names in the first column of the table."""
    text = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.split("## Settings")[1].split("\n## ")[0]
    names = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines() if row.startswith("| `")]
    found = [name for row in names for name in row]
    assert len(found) == len(set(found))
    return set(found)


def passed_settings() -> dict[str, str | None]:
    """What `docker-compose.yml` gives to the product's containers: None is what the environment or `.env` says."""
    passed: dict[str, str | None] = compose()["x-program"]["environment"]
    return passed


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((Path(settings.BASE_DIR) / "docker-compose.yml").read_text(encoding="utf-8"))
    return read
