"""What an owner may choose a budget for: what belongs to the organization, or to its children, and nothing else."""

from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.access import Access
from accounts.models import Attribute, Membership, Project, User
from accounts.periods import month_of, previous_month
from apikeys.models import APIKey
from billing.alerts import WHOLE_ORGANIZATION, BudgetKind
from billing.budgets.targets import Target, target_of, target_of_key, target_of_model, target_of_project, target_of_user
from metering.attribution_models import AttributeValue, AttributeValueMonth
from metering.cluster.state import is_distributed
from metering.models import DailyUsage, Model, OrganizationDailyUsage, Sku

MOST_SHOWN: Final = 20
MOST_SUGGESTED: Final = 100
BY_WORD: Final = {kind.label: kind for kind in BudgetKind}


def kind_of(word: str) -> BudgetKind:
    """The kind that an address names; the whole organization for anything else."""
    return BY_WORD.get(word, BudgetKind.ORGANIZATION)


def choices_of(access: Access, kind: BudgetKind, search: str) -> list[Target]:
    """The first of what a budget of this kind may be about, by name, of those with the searched text."""
    match kind:
        case BudgetKind.API_KEY:
            named = Q(name__icontains=search) | Q(redacted__icontains=search) | _named(search, "user__")
            found = _keys(access).filter(named, revoked_at__isnull=True).order_by("name", "pk")
            return [target_of_key(api_key) for api_key in found[:MOST_SHOWN]]
        case BudgetKind.USER:
            found_users = _users(access).filter(_named(search)).order_by("name", "email")
            return [target_of_user(user) for user in found_users[:MOST_SHOWN]]
        case BudgetKind.MODEL:
            found_models = _models(access).filter(name__icontains=search).order_by("name")
            return [target_of_model(model) for model in found_models[:MOST_SHOWN]]
        case BudgetKind.PROJECT:
            projects = _projects(access).filter(name__icontains=search, archived_at__isnull=True).order_by("name")
            return [target_of_project(project) for project in projects[:MOST_SHOWN]]
    return []


def find_choice(access: Access, kind: BudgetKind, word: str) -> Target | None:
    """What a budget may be about, by its public id or a model's name; None for what the reader may not choose."""
    match kind:
        case BudgetKind.ORGANIZATION:
            return target_of(WHOLE_ORGANIZATION)
        case BudgetKind.API_KEY:
            return next(map(target_of_key, _keys(access).filter(public_id=word)), None)
        case BudgetKind.USER:
            return next(map(target_of_user, _users(access).filter(public_id=word)), None)
        case BudgetKind.MODEL:
            return next(map(target_of_model, _models(access).filter(name=word)), None)
        case BudgetKind.PROJECT:
            return next(map(target_of_project, _projects(access).filter(public_id=word)), None)
    return None


def attribute_names(access: Access) -> list[tuple[str, str]]:
    """(name, title) of the attributes that the organization, or a child of it, has declared."""
    return sorted(dict(_attributes(access).values_list("name", "title")).items())


def known_values(access: Access, now: datetime) -> list[str]:
    """The first of the values that arrived for these attributes this month or in the one before, by name."""
    first = previous_month(month_of(now.date())).start
    ids = _attributes(access).values("id")
    arrived = AttributeValueMonth.objects.filter(attribute_id__in=ids, month__gte=first).values("value_id")
    found = AttributeValue.objects.filter(pk__in=arrived).order_by("value")
    return list(found.values_list("value", flat=True)[:MOST_SUGGESTED])


def _attributes(access: Access) -> QuerySet[Attribute]:
    return Attribute.objects.filter(organization__in=access.organizations, withdrawn_at__isnull=True)


def _projects(access: Access) -> QuerySet[Project]:
    """Those of the organization itself: who works in its children chooses theirs."""
    return Project.objects.filter(organization=access.organization)


def _named(search: str, user: str = "") -> Q:
    return Q(**{f"{user}name__icontains": search}) | Q(**{f"{user}email__icontains": search})


def _users(access: Access) -> QuerySet[User]:
    """Who is in the organization, or in one of its children, now."""
    members = Membership.objects.filter(organization__in=access.organizations, left_at__isnull=True)
    return User.objects.filter(pk__in=members.values("user_id"))


def _keys(access: Access) -> QuerySet[APIKey]:
    """Members' keys that count here by default, or whose usage shows here under their names. What others a member has, and what
    they are called, is the business of where they count."""
    ids = [organization.pk for organization in access.organizations]
    used = DailyUsage.objects.filter(organization_id__in=ids)
    # On a cluster the rows are asked first, because they are on another machine than the keys.
    shown = (
        Q(pk__in=used.values("api_key_id")) if is_distributed() else Q(Exists(used.filter(api_key_id=OuterRef("pk"))))
    )
    is_here = Q(user__default_organization__in=access.organizations) | shown
    return APIKey.objects.filter(is_here, user__in=_users(access)).select_related("user")


def _models(access: Access) -> QuerySet[Model]:
    """The models that were used there: others' names are not this reader's business."""
    ids = [organization.pk for organization in access.organizations]
    skus = OrganizationDailyUsage.objects.filter(organization_id__in=ids).values("sku_id")
    return Model.objects.filter(pk__in=Sku.objects.filter(pk__in=skus).values("model_id"))
