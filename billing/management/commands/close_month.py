import argparse
from datetime import datetime
from typing import Final

from django.core.management.base import BaseCommand, CommandError

from accounts.clock import database_now
from accounts.models import Organization
from accounts.pages.words import counted
from accounts.periods import Period, month_of, parse_month, previous_month
from billing.display import dollars
from billing.invoices import closing, holds
from billing.invoices.documents import state_of
from billing.invoices.invoices import UnratedError
from billing.models import Invoice

STEP: Final = 50  # payers between two lines


class Command(BaseCommand):
    help = "Draft, or after the grace period finalize, the invoices of a month that has ended. Safe to repeat."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--month", type=_month, help="for example 2026-10; default: the last month that has ended")
        parser.add_argument("--payer", help="one organization's slug; its month is closed again after a voided invoice")

    def handle(self, *, month: Period | None, payer: str | None, verbosity: int, **options: object) -> None:  # noqa: ARG002
        now = database_now()
        month = month or previous_month(month_of(now.date()))
        try:
            if payer is not None:
                self._close_payer(payer, month)
                return
            self._close_all(month, now, step=1 if verbosity > 1 else STEP)
        except (closing.MonthNotOverError, UnratedError) as error:
            raise CommandError(str(error)) from error
        state = "final" if closing.is_final(month, now) else "drafted; the grace period is not over"
        self.stdout.write(f"{month.start:%Y-%m} is {state}.")
        self._tell_what_is_left()

    def _close_all(self, month: Period, now: datetime, *, step: int) -> None:
        num_invoices = 0
        for progress in closing.close_month(month, now=now, at_once=True):
            num_invoices += progress.invoice is not None
            if progress.num_done % step == 0 or progress.num_done == progress.num_payers:
                self.stdout.write(
                    f"{progress.num_done} of {progress.num_payers} payers, {counted(num_invoices, 'invoice')}"
                )

    def _tell_what_is_left(self) -> None:
        """What is held back, and what failed: then the command fails too, so that a script sees it."""
        for held in holds.explained(holds.held_invoices()):
            invoice = held.invoice
            self.stdout.write(f"Held back: {invoice.payer.slug}, {invoice.month:%Y-%m}. {held.reason}")
        failures = closing.failures()
        for failure in failures:
            self.stderr.write(f"Failed: {failure.closing}: {failure.failed.last_error}")
        if failures:
            raise CommandError(f"Closings that failed: {len(failures):,}. All others are done.")

    def _close_payer(self, slug: str, month: Period) -> None:
        organization = Organization.objects.filter(slug=slug).first()
        if organization is None:
            raise CommandError(f"There is no organization {slug}.")
        self.stdout.write(_described(closing.close_payer(organization, month, now=database_now())))


def _described(invoice: Invoice | None) -> str:
    if invoice is None:
        return "There is nothing to bill."
    return f"{invoice.number or 'Draft'}: {dollars(invoice.total)}, {state_of(invoice).lower()}"


def _month(text: str) -> Period:
    month = parse_month(text)
    if month is None:
        raise argparse.ArgumentTypeError("A month looks like 2026-10.")
    return month
