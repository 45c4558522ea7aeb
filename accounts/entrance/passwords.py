"""A rule for passwords beside Django's own: nobody's password is their email address."""

from django.core.exceptions import ValidationError


class NotTheEmailValidator:
    """Refuses the email address and what stands before its @, in any case and with anything around them but letters."""

    def validate(self, password: str, user: object = None) -> None:
        email = str(getattr(user, "email", "") or "").casefold()
        guesses = {_bare(email), _bare(email.partition("@")[0])} - {""}
        if _bare(password) in guesses:
            raise ValidationError("Your password cannot be your email address.", code="password_is_email")

    def get_help_text(self) -> str:
        return "Your password cannot be your email address."


def _bare(text: str) -> str:
    """The letters of a text: `dana.weiss2026!` is `danaweiss`, and so easy to guess as that."""
    return "".join(filter(str.isalpha, text.casefold()))
