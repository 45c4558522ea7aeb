"""A new installation's first person: staff, with the first organization, an API key and a token of their gateway.

Whoever reads the log of the installation has the code. It opens the page for as long as nobody is or was staff, and never
again: a code that was used, or was read by two people at once, sets up one installation.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.account.models import EmailAddress
from django.conf import settings
from django.urls import reverse

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.changes import routing_change
from accounts.emails import normalized
from accounts.entrance import claims
from accounts.installation.site import address_of
from accounts.models import AuditEvent, Organization, User
from accounts.organizations import organizations
from apikeys.keys import keys
from apikeys.models import APIKey

PURPOSE: Final = b"first start"
CODE_BYTES: Final = 15
DONE: Final = "installation.set_up"
GATEWAY: Final = "gateway"
KEY_NAME: Final = "First key"


class SetUpAlreadyError(Exception):
    """Somebody is staff: the installation has been set up."""


class WrongCodeError(Exception):
    """A code that is not this installation's."""


@dataclass(frozen=True)
class SetUp:
    """What was made, with the secrets of key and token, which are nowhere else."""

    user: User
    organization: Organization
    api_key: APIKey
    key_secret: str
    token: str


def is_open() -> bool:
    """Whether nobody is staff yet, nor was through this page, whoever has lost these rights since."""
    return not (
        User.objects.filter(is_staff=True).exists() or AuditEvent.objects.filter(event=DONE, organization=None).exists()
    )


def code() -> str:
    """24 letters and digits that follow from SECRET_KEY: whoever can read that, or the log, may set the installation up."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), PURPOSE, "sha256")
    return base64.b32encode(digest[:CODE_BYTES]).decode()


def link() -> str:
    """Where the first person goes."""
    return address_of(f"{reverse('first_start')}?code={code()}")


def require(given: str) -> None:
    """Raises SetUpAlreadyError, and WrongCodeError for a code that is not ours."""
    if not is_open():
        raise SetUpAlreadyError
    if not hmac.compare_digest(given.strip().upper().encode(), code().encode()):
        raise WrongCodeError


def set_up(*, given: str, email: str, name: str, password: str, organization: str) -> SetUp:
    """Makes the first member of staff, who may do everything, and what the first event needs; all or nothing.

    Raises SetUpAlreadyError, WrongCodeError, accounts.organizations.organizations.EmailTakenError, and what the names'
    rules raise.
    """
    require(given)  # first, so that nobody waits for a stranger's guess
    with routing_change() as now:  # alone, so that of two people with the code one is the first
        require(given)
        user, actor = _make_staff(email=email, name=name, password=password, now=now)
        made = _make_organization(organization, user, now, actor)
        api_key, key_secret = keys.create_api_key(user=user, name=KEY_NAME, created_at=now, actor=actor)
        _, token = keys.create_ingest_token(name=GATEWAY, actor=actor)
    return SetUp(user, made, api_key, key_secret, token)


def make_first(*, email: str, name: str, password: str | None, organization: str, ingest_token: str) -> User:
    """The first member of staff without the code, for whoever runs the programs: they have SECRET_KEY. All or nothing.

    With an organization and a token of the gateway, the operator's own, where they are not empty. Raises SetUpAlreadyError,
    and what `set_up` does of email and names.
    """
    with routing_change() as now:
        if not is_open():
            raise SetUpAlreadyError
        user, actor = _make_staff(email=email, name=name, password=password, now=now)
        if organization:
            _make_organization(organization, user, now, actor)
        if ingest_token:
            keys.create_ingest_token(name=GATEWAY, secret=ingest_token, actor=actor)
    return user


def _make_staff(*, email: str, name: str, password: str | None, now: datetime) -> tuple[User, Actor]:
    email = normalized(email)
    claims.release(email, owner=None)
    user = organizations.create_user(email=email, name=name, password=password, now=now)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    actor = Actor(user=user, name=user.email)
    audit.record(DONE, actor=actor, target_id=user.public_id, target_name=user.email)
    return user, actor


def _make_organization(name: str, user: User, now: datetime, actor: Actor) -> Organization:
    made = organizations.create_organization(name=name, owner=user, now=now, actor=actor)
    organizations.set_default_organization(user=user, organization=made, now=now, actor=actor)
    return made
