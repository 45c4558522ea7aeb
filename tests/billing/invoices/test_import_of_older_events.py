"""`import_events --older`: as far back as single events are kept, never twice, and not into what is invoiced."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from accounts.periods import month_of
from apikeys.models import APIKey
from billing.invoices import closing
from billing.models import Invoice
from billing.prices.invoiced_months import invoiced_since
from metering.models import UsageEvent
from metering.rollups import retention
from tests.engine import days_ago, make_event, make_key, num_events, roll_up
from tests.metering.intake.history.importing import refused, run, write
from tests.money import set_price
from tests.world import World


@pytest.fixture(autouse=True)
def _ages(settings: Settings) -> None:
    settings.USAGE_EVENT_MAX_AGE_DAYS = 5
    settings.USAGE_EVENT_RETENTION_DAYS = 80


def of_days_ago(key: APIKey, *days: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        make_event(id=f"{key.pk}-{day}", timestamp=days_ago(day), api_key_id=key.public_id, **fields) for day in days
    ]


def test_older_events_are_taken_only_if_that_was_asked_for(tmp_path: Path, token: str, key: APIKey) -> None:
    path = write(tmp_path, of_days_ago(key, 1, 6, 79, 80))
    assert run(path)[0] == 3
    assert [code for _, _, code in refused(path)] == ["too_old"] * 3
    assert run(path, "native", "--older")[0] == 3
    assert [(line, code) for line, _, code in refused(path)] == [(4, "too_old")]
    assert num_events() == 3
    assert run(path, "native", "--older")[1].startswith("events.ndjson: 4 rows; 0 accepted, 3 stored already")


def test_days_whose_events_were_dropped_stay_as_they_are(
    tmp_path: Path, token: str, key: APIKey, settings: Settings
) -> None:
    path = write(tmp_path, of_days_ago(key, 50))
    assert run(path, "native", "--older")[0] == 0
    roll_up()
    settings.USAGE_EVENT_RETENTION_DAYS = 20
    assert days_ago(50).date() in retention.drop_old()
    settings.USAGE_EVENT_RETENTION_DAYS = 80
    code, _ = run(path, "native", "--older")
    assert (code, [reason for _, _, reason in refused(path)]) == (3, ["day_dropped"])
    assert not UsageEvent.objects.exists()


def test_months_with_a_final_invoice_are_closed_for_whom_it_is(tmp_path: Path, world: World, token: str) -> None:
    """Acme has an invoice of the month, Other has none."""
    now = database_now()
    month = month_of((now - timedelta(days=40)).date())
    age = (now.date() - month.start).days - 10
    set_price("gpt-4o", "0.01")
    of_acme, of_other = make_key(world.rita), make_key(world.charlie)
    first = write(tmp_path, of_days_ago(of_acme, age), "first.ndjson")
    assert run(first, "native", "--older")[0] == 0
    roll_up()
    closing.close_payer(world.acme, month, now=now + timedelta(days=60))
    assert Invoice.objects.get().state == Invoice.State.OPEN
    path = write(tmp_path, [*of_days_ago(of_acme, age + 1), *of_days_ago(of_other, age + 1), *of_days_ago(of_acme, 1)])
    assert run(path, "native", "--older")[0] == 3
    assert [(line, reason) for line, _, reason in refused(path)] == [(1, "invoiced")]


def test_who_paid_in_a_month_decides_whether_it_is_invoiced(world: World) -> None:
    def invoice(month: date, state: str) -> Invoice:
        number = f"T-{month:%m}" if state != "draft" else None
        dates = {} if state == "draft" else {"issue_date": month, "due_date": month, "place": month.month}
        return Invoice.objects.create(payer=world.acme, month=month, state=state, number=number, **dates)

    invoice(date(2026, 5, 1), "open")
    invoice(date(2026, 6, 1), "paid")
    invoice(date(2026, 7, 1), "draft")
    invoice(date(2026, 8, 1), "void")
    found = invoiced_since(date(2026, 5, 20))
    acme_and_those_it_pays_for = {world.acme.pk, world.labs.pk, world.japan.pk}
    assert found == {(one, date(2026, month, 1)) for one in acme_and_those_it_pays_for for month in (5, 6)}
    assert invoiced_since(date(2026, 6, 1)) == {one for one in found if one[1] == date(2026, 6, 1)}
