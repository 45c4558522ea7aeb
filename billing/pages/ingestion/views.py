"""The Ingestion page of the operator's staff: what comes in, what is refused and why. For others it does not exist."""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import memberships_of
from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.posting import post_only
from accounts.staff.doors import staff_only
from apikeys.keys.importing import import_api_key
from billing.pages.ingestion import page
from billing.pages.ingestion.forms import ImportKeyForm, TestEventForm
from billing.prices import listing
from metering.ingestion_models import Grain, UnknownKey
from metering.intake.formats.events import Refusal
from metering.intake.received import report, shown, trial
from metering.intake.received.trial import Trial
from metering.rollups.freshness import complete_through

PAGE: Final = "billing:ingestion"
SEES: Final = "metering.view_ingestcount"
NUM_UNPRICED: Final = 10
TRIAL: Final = "ingestion_trial"
TRIAL_SHOWN: Final = timedelta(minutes=10)


@require_safe
@staff_only(SEES)
def ingestion(request: SignedInRequest) -> HttpResponse:
    """What came in by the minute, hour or day, and what was refused; `?format=json` for programs."""
    if request.GET.get("format") == "json":
        return JsonResponse(_json(request))
    return _page(request)


@post_only(PAGE)
@staff_only(SEES, to_change="apikeys.add_apikey")
def import_key(request: SignedInRequest) -> HttpResponse:
    """A key that was made elsewhere is somebody's here from now on; its events are taken when they are sent again."""
    form = ImportKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, import_form=form)
    fields = form.cleaned_data
    try:
        is_new = import_api_key(
            email=fields["email"],
            name=fields["name"],
            digest=fields["digest"],
            now=database_now(),
            actor=actor_of(request),
        )
    except ValueError as error:
        form.add_error(None, _capitalized(str(error)))
        return _page(request, import_form=form)
    UnknownKey.objects.filter(key=shown.key_name(fields["digest"])).delete()
    done = f"Key “{fields['name']}” imported. Events that were refused are taken when they are sent again."
    messages.success(request, done if is_new else "This key is here already.")
    return redirect(f"{reverse(PAGE)}#content")


@post_only(PAGE)
@staff_only(SEES, to_change="metering.add_usageevent")
def test_event(request: SignedInRequest) -> HttpResponse:
    """One event of a key, as the key would report it, on record in the audit log of where it counts."""
    form = TestEventForm(request.POST)
    if not form.is_valid():
        return _page(request, test_form=form)
    fields = form.cleaned_data
    api_key = fields["api_key"]
    sent = trial.send(
        api_key,
        model=fields["model"],
        input_tokens=fields["input_tokens"],
        output_tokens=fields["output_tokens"],
        now=database_now(),
    )
    with transaction.atomic():
        audit.record(
            "usage.test_event_sent",
            actor=actor_of(request),
            organization=sent.organization or api_key.user.default_organization,
            target_id=api_key.public_id,
            target_name=api_key.name,
            details={"event_id": sent.event_id, "answer": _code(sent)},
        )
    request.session[TRIAL] = _kept(sent, fields["model"], answered_at=database_now())
    return redirect(f"{reverse(PAGE)}#trial")


def _page(
    request: SignedInRequest, *, import_form: ImportKeyForm | None = None, test_form: TestEventForm | None = None
) -> HttpResponse:
    now, grain = database_now(), _grain(request)
    found, tokens, complete = report.report(grain, now=now), page.token_names(), complete_through()
    unpriced = listing.UnpricedUsage() if request.user.has_perm("billing.view_price") else None
    seen = request.GET.get("key", "").replace("\0", "")[:40]
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "choices": page.choices(grain),
        "word": page.WORDS[grain],
        "span": report.SPANS[grain],
        "columns": page.COLUMNS,
        "bars": page.bars(found) if found.rows else (),
        "chart_width": report.SPANS[grain] * page.BAR_WIDTH,
        "senders": page.sender_rows(found, tokens),
        "refused": page.refused_rows(report.refused_items(now=now), tokens),
        "unknown": page.unknown_rows(report.unknown_keys(), tokens),
        "unpriced": unpriced[:NUM_UNPRICED] if unpriced is not None else (),
        "num_unpriced": len(unpriced) if unpriced is not None else 0,
        "rate": f"{report.events_per_second():,.1f}",
        "lag": f"{max(0.0, (now - complete).total_seconds()):,.1f}",
        "import_form": import_form or ImportKeyForm(initial={"key": seen}),
        "is_importing": bool(seen) or import_form is not None,
        "test_form": test_form or TestEventForm(),
        "is_testing": test_form is not None,
        "trial": _trial(request, now, complete),
    }
    return render(request, "billing/ingestion.html", context)


def _json(request: SignedInRequest) -> dict[str, Any]:
    now, complete = database_now(), complete_through()
    found = report.report(_grain(request), now=now)
    items, keys = report.refused_items(now=now), report.unknown_keys()
    return {
        "events_per_second": round(report.events_per_second(), 3),
        "rollup_lag_seconds": round(max(0.0, (now - complete).total_seconds()), 3),
        **page.as_json(found, page.token_names(), items, keys),
    }


def _grain(request: SignedInRequest) -> Grain:
    asked = request.GET.get("grain", "")
    return Grain(asked) if asked in Grain.values else Grain.MINUTE


def _kept(sent: Trial, model: str, *, answered_at: datetime) -> dict[str, str]:
    """What the session keeps of a test event for the page that shows it."""
    return {
        "event_id": sent.event_id,
        "at": sent.at.isoformat(),
        "answered_at": answered_at.isoformat(),
        "answer": sent.answer,
        "slug": sent.organization.slug if sent.organization else "",
        "organization": sent.organization.name if sent.organization else "",
        "model": model,
    }


def _trial(request: SignedInRequest, now: datetime, complete: datetime) -> dict[str, Any] | None:
    """The last test event, for a few minutes: its answer and, once the rollups have it, where it shows."""
    kept = request.session.get(TRIAL)
    if kept is None or now - datetime.fromisoformat(kept["at"]) > TRIAL_SHOWN:
        return None
    is_counted = bool(kept["slug"]) and datetime.fromisoformat(kept["answered_at"]) < complete
    is_member = memberships_of(request.user).filter(organization__slug=kept["slug"]).exists()
    query = urlencode({"day": kept["at"][:10], "model": kept["model"]})
    address = f"{reverse('metering:activity', args=[kept['slug']])}?{query}" if is_counted and is_member else ""
    return {**kept, "is_counted": is_counted, "is_waiting": bool(kept["slug"]) and not is_counted, "address": address}


def _code(sent: Trial) -> str:
    return sent.outcome.code if isinstance(sent.outcome, Refusal) else sent.outcome


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
