"""What was written month by month about payers, and documents without their days, are kept when their tables change."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum

from accounts.models import AuditEvent, Organization
from billing.invoices import invoices
from billing.invoices.billed import charged_days
from billing.models import DailyCost, Invoice, InvoiceLine
from billing.payer_history import BEGINNING, PayerSince
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price, use
from tests.usage.rollup_rows import sku_of
from tests.world import World

pytestmark = pytest.mark.django_db
BEFORE, AFTER = "0007_webhook_states", "0008_dated_payers_and_billed_days"
Fill = Callable[[Any], None]


def migrate(name: str) -> Any:
    """The apps as they are after billing's migration; what there is in this transaction goes along."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    executor = MigrationExecutor(connection)
    return executor.migrate([("billing", name)]).apps


def again(fill: Fill) -> None:
    """Back to the old tables, whatever `fill` puts there, and forward again."""
    fill(migrate(BEFORE))
    migrate(AFTER)


def payers_of(organization: Organization) -> list[tuple[date, Organization]]:
    found = PayerSince.objects.filter(organization=organization).select_related("payer").order_by("first_month")
    return [(row.first_month, row.payer) for row in found]


def test_payers_month_by_month_become_a_dated_history(world: World) -> None:
    written = [
        (world.labs, world.acme, "2026-07-01"),
        (world.labs, world.acme, "2026-08-01"),
        (world.labs, world.labs, "2026-10-01"),
        (world.japan, world.acme, "2026-09-01"),
        (world.other, world.acme, "2026-09-01"),
    ]

    def fill(apps: Any) -> None:
        for organization, payer, month in written:
            apps.get_model("billing", "PayerMonth").objects.create(
                organization_id=organization.pk, payer_id=payer.pk, month=month
            )

    Organization.objects.filter(pk=world.labs.pk).update(parent=None)
    again(fill)
    assert payers_of(world.labs) == [(BEGINNING, world.acme), (date(2026, 10, 1), world.labs)]
    assert payers_of(world.japan) == []  # as it is now, and always was
    assert payers_of(world.other) == [(BEGINNING, world.acme), (date(2026, 10, 1), world.other)]


def test_changes_that_only_the_audit_log_has_are_dated_too(world: World) -> None:
    def fill(_apps: Any) -> None:
        AuditEvent.objects.create(
            organization=world.other,
            actor_name="change_payer",
            event="organization.payer_changed",
            details={"payer": world.acme.public_id, "from": "2026-10-01"},
        )

    Organization.objects.filter(pk=world.other.pk).update(parent=world.acme)
    again(fill)
    assert payers_of(world.other) == [(BEGINNING, world.other), (date(2026, 10, 1), world.acme)]


def test_documents_get_their_place_and_their_days(world: World) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=100)
    use(world.other, "2026-10-20", "m", input_tokens=200)
    [october] = close(OCTOBER)
    note = invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    [second] = close(NOVEMBER)
    use(world.other, "2026-10-02", "m", input_tokens=5)
    again(lambda _apps: None)
    assert list(Invoice.objects.order_by("place").values_list("pk", "place")) == [
        (october.pk, 1),
        (note.pk, 2),
        (second.pk, 3),
    ]
    assert charged_days(world.other.pk, last_place=2) == {date(2026, 10, 1): Decimal(0)}
    assert sum(charged_days(world.other.pk).values()) == 3
    assert {day: amount for day, amount in charged_days(world.other.pk).items() if amount} == {
        date(2026, 10, 2): Decimal("1.05"),
        date(2026, 10, 20): Decimal("1.95"),
    }
    for invoice, subtotal, days in Invoice.objects.values_list("pk", "subtotal").annotate(Sum("billed_days__amount")):
        lines = InvoiceLine.objects.filter(invoice=invoice).values_list("amount", flat=True)
        assert days == sum(lines) == subtotal


def test_a_key_without_costs_any_more_has_its_line_on_the_first_day(world: World) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=100)
    close(OCTOBER)
    DailyCost.objects.filter(sku_id=sku_of("m").pk).delete()
    again(lambda _apps: None)
    assert charged_days(world.other.pk) == {date(2026, 10, 1): Decimal(1)}
