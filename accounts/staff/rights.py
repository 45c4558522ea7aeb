"""Who of the operator's staff may do something."""

from django.db.models import Q, QuerySet

from accounts.models import User


def staff_with(right: str) -> QuerySet[User]:
    """Staff with this right (`billing.view_price`), of their own or by a group; superusers have all of them."""
    app, _, codename = right.partition(".")
    of = {"content_type__app_label": app, "codename": codename}
    own = {f"user_permissions__{name}": value for name, value in of.items()}
    by_group = {f"groups__permissions__{name}": value for name, value in of.items()}
    staff = User.objects.filter(is_staff=True, is_active=True)
    return staff.filter(Q(is_superuser=True) | Q(**own) | Q(**by_group)).distinct()
