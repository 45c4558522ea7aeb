"""One mailbox, one person: whoever confirms an email address has it, and nobody who only wrote it down stands in the way.

`User.email` is the address that a person is known by, and equals their primary address in django-allauth's table. Both are
changed in one transaction (`confirm_email` in the adapter, `entrance.email_settings`).
"""

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR
from accounts.models import User


def release(email: str, *, owner: User | None) -> None:
    """End what others than its owner hold of an address without having confirmed it.

    An account that was never confirmed loses its address and stays closed: nobody could ever sign in to it. Of two who
    confirm one address at once, the second waits here and then finds it taken.
    """
    with transaction.atomic():
        claims = EmailAddress.objects.filter(email=email, verified=False)
        list(claims.select_for_update().order_by("pk"))  # the owner's too: each would hold what the other one ends
        others = User.objects.exclude(pk=owner.pk) if owner else User.objects.all()
        claims.filter(user__in=others).delete()
        confirmed = Q(pk__in=EmailAddress.objects.filter(email=email, verified=True).values("user"))
        for user in others.filter(email=email).exclude(confirmed):
            _take_away(user)


def _take_away(user: User) -> None:
    other = EmailAddress.objects.filter(user=user, verified=True).order_by("-primary", "pk").first()
    if other is None:
        user.email, user.is_active = f"user-{user.pk}@unconfirmed.invalid", False
    else:
        user.email = other.email
    user.save(update_fields=["email", "is_active"])
    audit.record("user.email.released", actor=SYSTEM_ACTOR, target_id=user.public_id, target_name=user.email)
