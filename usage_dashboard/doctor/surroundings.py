"""What is around the programs: settings, the way from people to web, disk, and who is staff."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from allauth.mfa.models import Authenticator
from django.conf import settings

from accounts.entrance.adapter import SECOND_FACTORS
from accounts.installation.encryption import UnreadableSecretError, decrypt
from accounts.installation.notices import CONSOLE
from accounts.models import User
from accounts.pages.words import counted
from accounts.staff.second_factor import FACTORS
from billing.alerts import WEBHOOK_SECRETS, WebhookEndpoint
from usage_dashboard.doctor.findings import Finding, fine, note, wrong
from usage_dashboard.web.site_address import LOCAL_HOSTS

LEAST_FREE_SHARE: Final = 0.1
LEAST_FREE_BYTES: Final = 2_000_000_000
LEAST_SECRET_KEY: Final = 32
SITE_SECONDS: Final = 5


def is_local() -> bool:
    """Whether SITE_ADDRESS is this machine: then nobody else is to come yet."""
    return settings.SITE.host in LOCAL_HOSTS


def address() -> Iterator[Finding]:
    if is_local():
        yield note(
            f"SITE_ADDRESS is {settings.SITE_ADDRESS}: nobody comes from elsewhere.",
            "For others set SITE_ADDRESS=https://….",
        )
    elif not settings.HTTPS:
        yield wrong(
            f"Passwords and keys go to {settings.SITE_ADDRESS} in clear.",
            "Set SITE_ADDRESS=https://…, behind a proxy.",
        )
    else:
        yield _way_to_web()
    if not is_local() and settings.DEBUG:
        yield wrong("DEBUG is on: errors show the program's insides to everybody.", "Unset DEBUG.")
    if not is_local() and settings.DEMO:
        yield wrong(
            "DEMO is on: its passwords are in the documentation.", "Unset DEMO, and start with an empty database."
        )


def _way_to_web() -> Finding:
    """Asks for `/healthz` as people would."""
    try:
        with urlopen(f"{settings.SITE_ADDRESS}/healthz", timeout=SITE_SECONDS) as answer:  # noqa: S310 - http or https, as checked at start
            if answer.read(10) == b"ok\n":
                return fine(f"{settings.SITE_ADDRESS} leads to web.")
            reason = "another program answers"
    except (URLError, OSError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
    return note(
        f"{settings.SITE_ADDRESS} does not lead to web from here: {reason}.", "See the proxy and the name's addresses."
    )


def mail() -> Iterator[Finding]:
    if settings.EMAIL_BACKEND != CONSOLE:
        yield fine("Email has a server.")
        return
    sentence, remedy = "Email is not sent but written to the log, with links that let people in.", "Set EMAIL_URL."
    yield note(sentence, remedy) if is_local() else wrong(sentence, remedy)


def secret_key() -> Iterator[Finding]:
    if len(settings.SECRET_KEY) < LEAST_SECRET_KEY or len(set(settings.SECRET_KEY)) < LEAST_SECRET_KEY // 4:
        yield wrong(
            "SECRET_KEY can be guessed.",
            "Set 50 random characters; SECRET_KEY_FALLBACKS takes the old ones.",
        )
    file = Path(settings.DATA_DIR) / "secret_key"
    if file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield wrong(f"Others on this machine can read {file}.", f"chmod 600 {file}")
    if settings.SECRET_KEY_FALLBACKS:
        yield note("SECRET_KEY_FALLBACKS has earlier keys.", "After manage.py reencrypt_secrets they may go.")


def stored_secrets() -> Iterator[Finding]:
    """Whether SECRET_KEY is the one that they were encrypted with."""
    webhook = WebhookEndpoint.objects.filter(disabled_at__isnull=True).order_by("-pk").first()
    factor = Authenticator.objects.filter(type=Authenticator.Type.TOTP).order_by("-pk").first()
    try:
        if webhook is not None:
            decrypt(webhook.encrypted_secret, purpose=WEBHOOK_SECRETS)
        if factor is not None:
            decrypt(factor.data["secret"], purpose=SECOND_FACTORS)
    except UnreadableSecretError:
        yield wrong(
            "Second factors and webhooks were stored under another SECRET_KEY.",
            "Add that one to SECRET_KEY_FALLBACKS.",
        )


def staff() -> Iterator[Finding]:
    everybody = User.objects.filter(is_staff=True, is_active=True)
    if not everybody.filter(is_superuser=True).exists():
        yield wrong("Nobody is a superuser.", "Run manage.py createsuperuser.")
        return
    without = everybody.exclude(pk__in=Authenticator.objects.filter(type__in=FACTORS).values("user")).count()
    if not settings.STAFF_SECOND_FACTOR and not is_local():
        yield wrong(
            "Staff needs no second factor: a password alone opens everybody's bills.", "Unset STAFF_SECOND_FACTOR."
        )
    elif without:
        has = "has" if without == 1 else "have"
        yield wrong(
            f"{counted(without, 'member')} of staff {has} no second factor.",
            "It is under You → Security.",
        )
    else:
        yield fine("All staff has a second factor.")


def seller() -> Iterator[Finding]:
    if settings.INVOICE_SELLER_NAME == "The operator of this API":
        yield note("Invoices name no seller.", "Set INVOICE_SELLER_NAME and INVOICE_SELLER_ADDRESS.")


def paper_logo() -> Iterator[Finding]:
    if settings.BRAND.logo and not settings.BRAND.paper_logo:
        yield note(
            "The logo cannot be on invoices as it is.", "Set INVOICE_LOGO to a PNG or JPEG of it, for white paper."
        )


def disk() -> Iterator[Finding]:
    """Where this installation and its exports write. Of a PostgreSQL elsewhere the disk is not seen from here."""
    for path in sorted({Path(settings.DATA_DIR), Path(tempfile.gettempdir())}):
        if not path.exists():
            continue
        usage = shutil.disk_usage(path)
        if usage.free < min(LEAST_FREE_BYTES, usage.total * LEAST_FREE_SHARE):
            yield wrong(f"The disk of {path} has {usage.free // 1_000_000:,} MB free.", "Make room.")
        else:
            yield fine(f"The disk of {path} has {usage.free // 1_000_000_000:,} GB free.")
