"""django-allauth's forms before the sign-in, where people type an e-mail address in one of its spellings."""

from allauth.account import forms

from accounts.emails import normalized


class SignInForm(forms.LoginForm):  # type: ignore[misc]
    def clean_login(self) -> str:
        return normalized(super().clean_login())


class ResetPasswordForm(forms.ResetPasswordForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        """The address that is stored: the library would write to the spelling that was typed, which may be another mailbox."""
        return normalized(super().clean_email())
