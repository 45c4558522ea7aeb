"""What staff needs beside its rights: a second factor, because a password alone opens everybody's bills (STAFF_SECOND_FACTOR)."""

from typing import Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import User

FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def lacks_second_factor(user: User) -> bool:
    """Whoever has one was asked for it at the sign-in."""
    return bool(settings.STAFF_SECOND_FACTOR) and not Authenticator.objects.filter(user=user, type__in=FACTORS).exists()


def second_factor_page(request: HttpRequest) -> HttpResponse:
    """The way to one."""
    return render(request, "accounts/second_factor_needed.html", status=403)
