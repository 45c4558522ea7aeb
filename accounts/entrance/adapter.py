"""django-allauth's hooks: how people come in, what they get by email, and how their second factors are kept."""

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from accounts import mail
from accounts.changes import change
from accounts.emails import normalized
from accounts.entrance import claims, log
from accounts.installation import encryption
from accounts.installation.site import name_of_site, on_site
from accounts.models import User
from accounts.organizations.organizations import welcome_user

SECOND_FACTORS: Final = "second factors"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up by email. It is open to all, or (SIGN_UP_OPEN=0) to people with an invitation alone."""

    tried: User | None = None

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGN_UP_OPEN or bool(self.invited_address(request))

    def invited_address(self, request: HttpRequest) -> str:
        """That of the invitation whose link this browser has come from, so the mailbox is theirs; empty without one."""
        return request.session.get("account_verified_email") or ""

    def save_user(self, request: HttpRequest, user: User, form: Form, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - the library's signature
        """A person with their personal organization, both or neither."""
        if not commit:
            return super().save_user(request, user, form, commit=False)  # type: ignore[no-any-return]
        with change() as now:
            saved: User = super().save_user(request, user, form, commit=True)
            welcome_user(user=saved, now=now)
        return saved

    def clean_email(self, email: str) -> str:
        return normalized(email)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        """The address is theirs: nobody else's unconfirmed claim to it is left, and the user and their address change at once."""
        with transaction.atomic():
            if email_address.can_set_verified():
                claims.release(email_address.email, owner=email_address.user)
            return bool(super().confirm_email(request, email_address))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        self.tried = _owner(credentials["email"])
        super().pre_authenticate(request, **credentials)

    def validation_error(self, code: str, *args: object) -> ValidationError:
        """The library comes here when there were too many tries, of passwords and of second factors alike."""
        if code == "too_many_login_attempts":
            log.record_locked(user=self.tried or log.person_of(self.request), request=self.request)
        error: ValidationError = super().validation_error(code, *args)
        return error

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        log.record("sign_in.refused", user=_owner(credentials["email"]), request=request, method="password")

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        log.record("sign_in.refused", user=user, request=request, method="the account is closed")
        answer: HttpResponse = super().respond_user_inactive(request, user)
        return answer

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002 - the library's signature
        """Failed attempts count for the address. The library adds the request's Host, so that each name and port counts anew."""
        return str(credentials["email"])

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """The library makes links from the request's Host; here they lead to SITE_ADDRESS."""
        site = {"domain": name_of_site(), "name": name_of_site()}
        own = {name: on_site(value) for name, value in context.items()}
        super().send_mail(template_prefix, email, {**own, "current_site": site})

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """The library's text, in our email."""
        subject = render_to_string(f"{template_prefix}_subject.txt", context)
        text = render_to_string(f"{template_prefix}_message.txt", context, self.request)
        (to,) = [email] if isinstance(email, str) else email
        message = mail.compose(subject=subject, text=text, to=to)
        message.extra_headers.update(headers or {})
        return message


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """People who come in through their company's sign-in."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Whoever the company lets in may come in."""
        return True

    def authenticate_by_email(self, sociallogin: Any) -> tuple[User, str] | None:
        """The company says whose mailbox it is; without this the library takes a person to an account that only claims it."""
        for address in sociallogin.email_addresses:
            address.email = normalized(address.email)
            if address.verified and not EmailAddress.objects.is_verified(address.email):
                claims.release(address.email, owner=None)
        found: tuple[User, str] | None = super().authenticate_by_email(sociallogin)
        return found

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Form | None = None) -> User:
        """A person with their personal organization. Who comes from an invitation has its address too, so that they can
        accept it: nobody else's unconfirmed claim to it is left."""
        with change() as now:
            if invited := get_adapter().invited_address(request):
                claims.release(invited, owner=None)
            saved: User = super().save_user(request, sociallogin, form)
            welcome_user(user=saved, now=now)
        return saved


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors are encrypted in the database, with a key that is derived from SECRET_KEY."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text, purpose=SECOND_FACTORS)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text, purpose=SECOND_FACTORS)


def _owner(email: str) -> User | None:
    address = EmailAddress.objects.filter(email=email, verified=True).select_related("user").first()
    return address.user if address else User.objects.filter(email=email).first()
