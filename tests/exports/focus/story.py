"""A story with everything that an invoice can have: prepaid and promotional credit, tax, a negotiated price, a child, projects
and attributes, usage that came late, an invoice that was voided and issued again, and usage of a month that is open."""

from datetime import date
from decimal import Decimal

from accounts.models import User
from apikeys.models import APIKey
from billing.invoices import closing, grants, invoices
from billing.invoices.grants import GrantTerms
from billing.models import BillingDetails, Invoice, LineItem
from metering.measures import MEASURES
from metering.models import AttributedDailyUsage
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price
from tests.usage import attributions, what_for
from tests.usage.focus_files import use_by
from tests.usage.rollup_rows import make_key, sku_of
from tests.world import World

DAY = date(2026, 10, 14)
LATE_DAY = date(2026, 10, 20)
GRANTS = (
    ("Welcome", "1.00", "promotional", "2026-10-01"),
    ("Prepaid 2026", "2.50", "paid", "2026-10-01"),
    ("November", "0.50", "promotional", "2026-11-01"),
)


def happen(world: World) -> APIKey:
    """The story; returns Rita's key."""
    set_price("atlas", "0.0000025")
    set_price("atlas", "0.00001", line_item=LineItem.OUTPUT)
    set_price("atlas", "0.000008", line_item=LineItem.OUTPUT, organization=world.acme)
    BillingDetails.objects.create(organization=world.acme, tax_rate="0.19", tax_name="VAT")
    for name, amount, category, start in GRANTS:
        terms = GrantTerms(name=name, amount=Decimal(amount), category=category, effective_at=at(start))
        grants.give(world.acme, terms, actor=ACTOR)
    key = make_key(world.rita, "Laptop")
    use_by(world.rita, key, world.acme, DAY, "atlas", input_tokens=1_234_567, output_tokens=333_333)
    say_what_for(world, world.rita, key)
    use_by(world.bob, None, world.labs, DAY, "atlas", input_tokens=777_777)
    close(OCTOBER)
    use_by(world.rita, key, world.acme, LATE_DAY, "atlas", input_tokens=400_001)
    use_by(world.rita, key, world.acme, date(2026, 11, 3), "atlas", input_tokens=2_000_003)
    close(NOVEMBER)
    november = Invoice.objects.get(month=NOVEMBER.start)
    invoices.void(november, actor=ACTOR, now=at("2026-12-05"))
    closing.close_payer(world.acme, NOVEMBER, now=at("2026-12-06"))
    use_by(world.rita, key, world.acme, date(2026, 12, 1), "atlas", input_tokens=5_000)
    use_by(world.rita, key, world.acme, date(2026, 12, 2), "unknown", input_tokens=5_000)
    return key


def say_what_for(world: World, user: User, key: APIKey) -> None:
    """A part of the day's usage is of a project and a team."""
    what_for.declare(world.acme, "team")
    project = what_for.make_project(world.acme, "Search")
    AttributedDailyUsage.objects.create(
        organization_id=world.acme.pk,
        day=DAY,
        user_id=user.pk,
        api_key_id=key.pk,
        sku_id=sku_of("atlas").pk,
        attribution_id=attributions.attribution_of(world.acme, project, {"team": "red"}),
        **{**dict.fromkeys(MEASURES, 0), "input_tokens": 1_000_000},
    )
