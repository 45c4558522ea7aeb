"""The Budgets page of an organization, and the pages on which owners set a budget, change it and remove it."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Access, find_seen, judge_again
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.posting import post_only
from accounts.pages.words import with_article
from billing.alerts import Budget, BudgetKind
from billing.budgets import budgets
from billing.budgets.targets import WORDS, Target, noun_of, target_of, target_of_value
from billing.pages.budget_choices import MOST_SHOWN, attribute_names, choices_of, find_choice, kind_of, known_values
from billing.pages.budget_page import budgets_report, initial_of
from billing.pages.forms import AttributeValueForm, BudgetForm
from billing.pages.organization_views import PAGE, open_for_owner

BUDGETS: Final = "billing:budgets"
MAX_SEARCH: Final = 100
FIRST_THRESHOLDS: Final = {"thresholds": "50, 80, 100"}


@require_safe
@login_required
def budget_list(request: SignedInRequest, slug: str) -> HttpResponse:
    """All budgets of the organization, with what this month has cost of each."""
    access = open_for_owner(request, slug)
    context = {
        "report": budgets_report(access.organization, database_now()),
        "access": access,
        "kinds": [(kind.label, WORDS[kind]) for kind in BudgetKind],
    }
    return _page(request, access, "billing/budgets.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_budget(request: SignedInRequest, slug: str) -> HttpResponse:
    """Choose what a new budget is about, search for it, and set it."""
    access = open_for_owner(request, slug)
    if request.method != "POST":
        return _new_page(request, access, BudgetForm(initial=FIRST_THRESHOLDS))
    form = BudgetForm(request.POST)
    target = _chosen(request, access, form)
    if target is None or not form.is_valid():
        return _new_page(request, access, form, target)
    return _set(request, access, target, form) or _new_page(request, access, form, target)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def one_budget(request: SignedInRequest, slug: str, budget_id: int) -> HttpResponse:
    """Change the amount of a budget, when it is told of, and whether it is hard."""
    access = open_for_owner(request, slug)
    budget = find_seen(_budgets_of(access), pk=budget_id)
    target = target_of(budget.scope)
    form = BudgetForm(request.POST) if request.method == "POST" else BudgetForm(initial=initial_of(budget))
    if request.method == "POST" and form.is_valid() and (done := _set(request, access, target, form)):
        return done
    return _page(request, access, "billing/budget_change.html", {"form": form, "target": target, "budget": budget})


@post_only(BUDGETS, "slug")
@login_required
def budget_removal(request: SignedInRequest, slug: str, budget_id: int) -> HttpResponse:
    """There is no such budget any more."""
    access = open_for_owner(request, slug)
    budget = find_seen(_budgets_of(access), pk=budget_id)
    with change(by=request.user):
        judge_again(access)
        budgets.remove_budget(access.organization, scope=budget.scope, actor=actor_of(request))
    messages.success(request, "Budget removed.")
    return redirect(BUDGETS, slug)


def _budgets_of(access: Access) -> QuerySet[Budget]:
    return Budget.objects.filter(organization=access.organization)


def _chosen(request: SignedInRequest, access: Access, form: BudgetForm) -> Target | None:
    """What the new budget is about; None, with a sentence in the form, if nothing was chosen."""
    kind = kind_of(request.POST.get("about", ""))
    if kind == BudgetKind.ATTRIBUTE:
        value_form = AttributeValueForm(request.POST, names=attribute_names(access))
        return target_of_value(**value_form.cleaned_data) if value_form.is_valid() else None
    word = request.POST.get("target", "")
    if not word and kind != BudgetKind.ORGANIZATION:
        form.add_error(None, f"Choose {with_article(noun_of(kind))}.")
        return None
    target = find_choice(access, kind, word)
    if target is None:
        raise Http404("Nothing that you may set a budget for has this id.")
    return target


def _set(request: SignedInRequest, access: Access, target: Target, form: BudgetForm) -> HttpResponse | None:
    """Set the budget and lead to the list; None, and a sentence in the form, if it was refused."""
    try:
        with change(by=request.user):
            judge_again(access)
            budgets.set_budget(access.organization, scope=target.scope, actor=actor_of(request), **form.cleaned_data)
    except budgets.BudgetRefusedError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, "Budget saved.")
    return redirect(BUDGETS, access.organization.slug)


def _new_page(request: SignedInRequest, access: Access, form: BudgetForm, target: Target | None = None) -> HttpResponse:
    asked = request.POST if request.method == "POST" else request.GET
    kind = kind_of(asked.get("about", ""))
    context = {"form": form, "kind": kind.label, "kind_name": WORDS[kind]}
    if kind == BudgetKind.ATTRIBUTE:
        return _page(request, access, "billing/budget_new.html", context | _values(request, access))
    search = asked.get("q", "").replace("\0", "").strip()[:MAX_SEARCH]
    found = choices_of(access, kind, search)
    context |= {
        "search": search,
        "choices": found if target is None or target in found else [target, *found],
        "chosen": target.word if target is not None else "",
        "is_cut": len(found) >= MOST_SHOWN,
    }
    return _page(request, access, "billing/budget_new.html", context)


def _values(request: SignedInRequest, access: Access) -> dict[str, object]:
    """The choice of an attribute's value."""
    names = attribute_names(access)
    sent = request.POST if request.method == "POST" else None
    return {
        "names": names,
        "value_form": AttributeValueForm(sent, names=names),
        "values": known_values(access, database_now()),
    }


def _page(request: SignedInRequest, access: Access, template: str, context: dict[str, object]) -> HttpResponse:
    frame = organization_frame(access, page=PAGE, switch_to=PAGE)
    return render(request, template, {"frame": frame, "organization": access.organization, **context})
