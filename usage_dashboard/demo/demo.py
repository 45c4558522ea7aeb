"""The demo: an enterprise with two child organizations and sixty days of usage, loaded through the ingest of real events."""

from collections.abc import Callable
from itertools import islice
from typing import Final

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Organization, User
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import IngestToken
from billing.invoices import closing
from billing.prices import new_models, rating
from metering.intake import ingest
from metering.rollups import partitions
from usage_dashboard.demo import people, usage
from usage_dashboard.demo.people import PASSWORD, SIGN_INS

__all__ = ["PASSWORD", "SIGN_INS", "NotEmptyError", "fill", "is_filled", "is_open"]

DAYS: Final = 60
BATCH_SIZE: Final = 5_000
BAR_WIDTH: Final = 30
LOADER: Final = "demo loader"


class NotEmptyError(Exception):
    """The database has people or organizations in it that are not the demo's."""


def is_open() -> bool:
    """Whether people of the demo can sign in, with the password that everybody knows."""
    return User.objects.filter(email__in=people.EMAILS, is_active=True).exists()


def is_filled() -> bool:
    """Whether the demo was filled to the end: the loader's token is revoked last."""
    return IngestToken.objects.filter(name__startswith=LOADER, revoked_at__isnull=False).exists()


def fill(*, write: Callable[[str], object]) -> None:
    """Fill the demo unless it is there; `write` gets the progress bar.

    A fill that was cut off is completed: its events follow from the enterprise's age and have the same ids again.
    Raises NotEmptyError for a database in which anything of others is.
    """
    if is_filled():
        return
    _require_empty()
    started_at = database_now()
    with routing_change():
        enterprise = people.find() or people.create(started_at)
    token, secret = keys.create_ingest_token(name=f"{LOADER} {started_at:%Y-%m-%d %H:%M:%S.%f}")
    partitions.ensure_ahead()
    _load(usage.Plan(enterprise, days=DAYS), secret=secret, write=write)
    with routing_change() as now:
        keys.revoke_ingest_token(token=token, now=now)


def _require_empty() -> None:
    """But for what an earlier fill has left."""
    others = Organization.objects.filter(is_personal=False).exclude(slug__in=people.ORGANIZATIONS)
    if others.exists() or User.objects.exclude(email__in=people.EMAILS).exists():
        raise NotEmptyError("There are people or organizations in this database that are not the demo's.")


def _load(plan: usage.Plan, *, secret: str, write: Callable[[str], object]) -> None:
    events = plan.events()
    digest = secrets.digest(secret)
    done = 0
    while batch := list(islice(events, BATCH_SIZE)):
        refused = [outcome for outcome in ingest.store(batch, secret_digest=digest) if not isinstance(outcome, str)]
        if refused:
            raise RuntimeError(f"The demo's own event was refused: {refused[0].message}")
        done += len(batch)
        share = min(done / plan.expected_events, 0.99)
        write(f"\rFilling the demo [{'=' * int(share * BAR_WIDTH):<{BAR_WIDTH}}] {done:,} events")
    write(f"\rFilling the demo [{'=' * BAR_WIDTH}] {done:,} events, adding them up …")
    rating.catch_up()
    new_models.price_all()
    write(" done.\n")
    people.set_up_billing()
    closing.close_ended_months(database_now())
