"""The ways in, as people go them in a browser."""

import re
from urllib.parse import urlsplit

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from tests.world import PASSWORD

SIGN_UP, SIGN_IN, RESET = "/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"
SECOND_FACTOR = "/accounts/2fa/authenticate/"
NEWCOMER = "dana@example.test"


def link_in(message: object) -> str:
    assert isinstance(message, EmailMultiAlternatives)
    (path,) = {urlsplit(address).path for address in re.findall(r"http\S+", str(message.body))}
    return str(path)


def sign_in(email: str, password: str = PASSWORD, client: Client | None = None) -> tuple[Client, str]:
    """The browser and where it is led; an empty address if the sign-in was refused."""
    client = client or Client()
    answer = client.post(SIGN_IN, {"login": email, "password": password})
    return client, answer.headers.get("Location", "")


def sign_up(email: str = NEWCOMER) -> Client:
    client = Client()
    answer = client.post(SIGN_UP, {"email": email, "password1": PASSWORD})
    assert answer["Location"] == "/accounts/confirm-email/"
    return client


def confirm(client: Client) -> None:
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def totp_code(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


def with_app(email: str) -> tuple[Client, str]:
    """A browser whose user has just turned on an authenticator app, and the app's secret."""
    client, _ = sign_in(email)
    confirm(client)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    (secret,) = re.findall(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page)
    assert client.post("/accounts/2fa/totp/activate/", {"code": totp_code(secret)}).status_code == 302
    return client, secret
