"""The first start without a browser: what INIT_… says, into an empty installation, once."""

from collections.abc import Callable

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse

from accounts.emails import normalized
from accounts.installation.site import address_of
from accounts.models import User
from accounts.organizations.organizations import ChangeRefusedError
from apikeys.keys.keys import InvalidNameError
from usage_dashboard.first_start import setting_up
from usage_dashboard.first_start.setting_up import SetUpAlreadyError
from usage_dashboard.machine.first_person import FirstPerson


class RefusedError(Exception):
    """What INIT_… says cannot be, in a sentence. Nothing was made."""


def initialize(write: Callable[[str], object]) -> bool:
    """Makes what INIT_… says, if nobody is staff yet nor ever was; returns whether anything was made.

    A second start finds somebody and changes and prints nothing. Raises RefusedError.
    """
    said: FirstPerson = settings.INIT
    if not (said.email or said.problems) or not setting_up.is_open():
        return False
    try:
        _require_good(said)
        user = setting_up.make_first(
            email=said.email,
            name=said.name,
            password=said.password or None,
            organization=said.organization,
            ingest_token=said.ingest_token,
        )
    except SetUpAlreadyError:  # by another start, at this moment
        return False
    except (ValidationError, ChangeRefusedError, InvalidNameError) as error:
        reason = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        raise RefusedError(f"INIT_… cannot be, and nothing was made: {reason}") from error
    write(f"{user.email} is the first of staff.")
    if not said.password:
        write(f"Choose a password, once and within three days, at\n    {password_link(user)}")
    return True


def password_link(user: User) -> str:
    """Where the person chooses a password; it opens once."""
    key = default_token_generator.make_token(user)
    parts = {"uidb36": user_pk_to_url_str(user), "key": key}
    return address_of(reverse("account_reset_password_from_key", kwargs=parts))


def _require_good(said: FirstPerson) -> None:
    """Raises ValidationError for what cannot be, and an address or a password that the pages would not take."""
    if said.problems:
        raise ValidationError(list(said.problems))
    email = normalized(said.email)
    validate_email(email)
    if said.password:
        try:
            validate_password(said.password, User(email=email, name=said.name))
        except ValidationError as error:
            raise ValidationError([f"INIT_PASSWORD: {message}" for message in error.messages]) from error
