"""Projects of an organization: everybody in it sees them, owners and admins change them."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import organization_change
from accounts.clock import database_now
from accounts.limits import LimitReachedError
from accounts.models import Project
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.lists import page_of, text_of, words_of
from accounts.pages.posting import back_to, post_only
from accounts.projects import projects
from accounts.projects.forms import ProjectNameForm
from accounts.projects.projects import ProjectRefusedError
from apikeys.attribution import project_keys

PAGE = "apikeys:projects"
ONE = "apikeys:project"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def project_list(request: SignedInRequest, slug: str) -> HttpResponse:
    """The projects with their keys; POST makes another one."""
    access = open_organization(request, slug)
    form = ProjectNameForm(request.POST if request.method == "POST" else None)
    refusal = None
    if request.method == "POST":
        _require_admin(access)
    if form.is_bound and form.is_valid():
        try:
            with organization_change(access.organization, by=request.user):
                judge_again(access)
                limits.spend(request.user, limits.PROJECTS)
                made = projects.make_project(
                    organization=access.organization, name=form.cleaned_data["name"], actor=actor_of(request)
                )
        except LimitReachedError as error:
            form.add_error("name", str(error))
            refusal = error
        except ProjectRefusedError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"“{made.name}” created.")
            return back_to(request, ONE, slug, made.public_id)
    return limits.answer(_list_page(request, access, form), refusal)


@require_safe
@login_required
def project(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """One project: its keys, and what can be changed."""
    access = open_organization(request, slug)
    return _project_page(request, access, _project(access, public_id))


@post_only(ONE, "slug", "public_id")
@login_required
def name(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """Another name, in past usage too."""
    access, found = _changeable(request, slug, public_id)
    form = ProjectNameForm(request.POST)
    if not form.is_valid():
        return _project_page(request, access, found, form)
    try:
        with organization_change(access.organization, by=request.user):
            judge_again(access)
            projects.rename_project(project=found, name=form.cleaned_data["name"], actor=actor_of(request))
    except ProjectRefusedError as error:
        form.add_error("name", str(error))
        return _project_page(request, access, _project(access, public_id), form)
    messages.success(request, f"Renamed to “{found.name}”, including in past usage.")
    return back_to(request, ONE, slug, public_id)


@post_only(ONE, "slug", "public_id")
@login_required
def archival(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The project is offered no more; a notice offers to take it back."""

    def archive(found: Project, now: datetime) -> None:
        projects.archive_project(project=found, now=now, actor=actor_of(request))

    done = _change(request, slug, public_id, archive)
    return back_to(request, PAGE, slug, archived=public_id) if done else back_to(request, ONE, slug, public_id)


@post_only(ONE, "slug", "public_id")
@login_required
def restoration(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """An archived project is offered again."""

    def restore(found: Project, now: datetime) -> None:  # noqa: ARG001 - one form for both
        projects.restore_project(project=found, actor=actor_of(request))
        messages.success(request, f"“{found.name}” restored.")

    done = _change(request, slug, public_id, restore)
    return back_to(request, PAGE, slug) if done else back_to(request, ONE, slug, public_id)


def _change(request: SignedInRequest, slug: str, public_id: str, change: Callable[[Project, datetime], None]) -> bool:
    """Whether the change was made; if the rules forbid it, the next page says why."""
    access, found = _changeable(request, slug, public_id)
    try:
        with organization_change(access.organization, by=request.user) as now:
            judge_again(access)
            change(found, now)
    except ProjectRefusedError as error:
        messages.warning(request, str(error))
        return False
    return True


def _project(access: Access, public_id: str) -> Project:
    rows = Project.objects.filter(organization=access.organization).select_related("organization")
    return find_seen(rows, public_id=public_id)


def _changeable(request: SignedInRequest, slug: str, public_id: str) -> tuple[Access, Project]:
    access = open_organization(request, slug)
    _require_admin(access)
    return access, _project(access, public_id)


def _require_admin(access: Access) -> None:
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can change the organization's projects.")


def _frame(access: Access) -> object:
    return organization_frame(access, page=PAGE, switch_to=PAGE)


def _list_page(request: SignedInRequest, access: Access, form: ProjectNameForm) -> HttpResponse:
    """The active projects page by page below the default one, and the archived ones in a list of their own; `q` searches both."""
    words = words_of(request.GET)
    of_organization = Project.objects.filter(organization=access.organization)
    wanted = Q(name__icontains=words) | Q(public_id__icontains=words) if words else Q()
    found = of_organization.filter(wanted, is_default=False)
    page = page_of(found.filter(archived_at__isnull=True).order_by("name", "id"), request.GET)
    old = page_of(found.filter(archived_at__isnull=False).order_by("name", "id"), request.GET, name="old")
    keys = project_keys.keys_by_project(access, [*page.rows, *old.rows], now=database_now())
    just_archived = text_of(request.GET, "archived")
    context = {
        "frame": _frame(access),
        "access": access,
        "organization": access.organization,
        "default": of_organization.filter(is_default=True).first(),
        "default_name": projects.default_name(access.organization),
        "default_keys": keys.get(None, project_keys.NONE),
        "page": page,
        "rows": [(one, keys.get(one.pk, project_keys.NONE)) for one in page.rows],
        "old": old,
        "archived": [(one, keys.get(one.pk, project_keys.NONE)) for one in old.rows],
        "is_old_asked": "old" in request.GET,
        "search": words,
        "is_long": bool(words or page.place or old.place),
        "just_archived": just_archived
        and of_organization.filter(archived_at__isnull=False, public_id=just_archived).first(),
        "form": form,
    }
    return render(request, "apikeys/projects.html", context)


def _project_page(
    request: SignedInRequest, access: Access, found: Project, form: ProjectNameForm | None = None
) -> HttpResponse:
    context = {
        "frame": _frame(access),
        "access": access,
        "organization": access.organization,
        "project": found,
        "keys": project_keys.keys_of_project(access, found, now=database_now()),
        "form": form or ProjectNameForm(initial={"name": found.name}),
    }
    return render(request, "apikeys/project.html", context)
