"""django-allauth's forms and pages where people say which email address is theirs, in one of its spellings."""

from typing import Any

from allauth.account import forms, views
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from accounts.emails import normalized
from accounts.entrance import claims
from accounts.models import User


class SignInForm(forms.LoginForm):  # type: ignore[misc]
    def clean_login(self) -> str:
        return normalized(super().clean_login())


class ResetPasswordForm(forms.ResetPasswordForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        """The address that is stored: the library would write to the spelling that was typed, which may be another mailbox."""
        return normalized(super().clean_email())


class SignUpForm(forms.SignupForm):  # type: ignore[misc]
    """Who comes from an invitation signs up with its address and no other: as theirs, the library stores that one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invited = get_adapter().invited_address(context.request)
        if self.invited:
            field, self.initial["email"] = self.fields["email"], self.invited
            field.help_text = "Your invitation is for this address."
            field.widget.attrs["readonly"] = True
            field.bound_data = lambda _sent, initial: initial  # what was sent instead could not be mended there

    def clean_email(self) -> str:
        if self.invited and normalized(self.cleaned_data["email"]) != self.invited:
            raise ValidationError(
                f"Your invitation is for {self.invited}: create the account with that address. "
                "For another one, ask for an invitation to it."
            )
        return str(super().clean_email())

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Of two clicks at once on “Sign up”, the second is answered as one that comes later: the address is taken."""
        try:
            found: tuple[User | None, HttpResponse | None] = super().try_save(request)
        except IntegrityError:
            self.validate_unique_email(self.cleaned_data["email"])
            if not self.account_already_exists:
                raise
            found = super().try_save(request)
        return found

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        """The person with their organization and their address, all or nothing."""
        saved: User = super().save(request)
        return saved

    def validate_unique_email(self, value: str) -> str:
        """An address that somebody only wrote down beside their own is free.

        Who comes from an invitation has shown that the mailbox is theirs: an account that was never confirmed gives it up.
        """
        if get_adapter().is_email_verified(context.request, value):
            claims.release(value, owner=None)
        is_taken = User.objects.filter(email=value).exists() or EmailAddress.objects.is_verified(value)
        return str(super().validate_unique_email(value)) if is_taken else value


@transaction.atomic
def email_settings(request: HttpRequest) -> HttpResponse:
    """A person's addresses. What they confirmed is theirs alone, and both places that hold the main one change together."""
    if request.method == "POST" and isinstance(request.user, User):
        own = EmailAddress.objects.select_for_update().filter(user=request.user).order_by("pk")
        for address in list(own):  # all of them: a second window of the same person waits here
            if address.verified:
                claims.release(address.email, owner=request.user)
    answer: HttpResponse = views.email(request)
    return answer
