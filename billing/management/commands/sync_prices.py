import argparse
from decimal import Decimal

from django.core.management.base import BaseCommand

from accounts.pages.words import counted
from billing.prices import sync
from billing.prices.book import RELEASE
from billing.prices.rerating import ClosedMonthError, preview
from billing.prices.sync import Difference


class Command(BaseCommand):
    help = "Show where the installed default price list differs from the book, and what that would change; --apply does it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="bring the list's prices into the book")

    def handle(self, *, apply: bool, **options: object) -> None:  # noqa: ARG002
        found = list(sync.differences())
        for difference in found:
            self.stdout.write(_described(difference))
            if difference.is_kept:
                self.stdout.write("    set by a person, left as it is")
            elif apply:
                self._apply(difference)
            else:
                effect = preview(difference.terms, source=difference.source)
                changed = f"{counted(len(effect.days), 'day')}, ${effect.before:,f} → ${effect.after:,f}"
                self.stdout.write(f"    {effect.refusal or changed}")
        if apply:
            sync.note_release()
        self.stdout.write(f"{counted(len(found), 'difference')} between the book and {RELEASE}.")

    def _apply(self, difference: Difference) -> None:
        try:
            change = sync.apply(difference)
        except ClosedMonthError as error:
            self.stdout.write(f"    left as it is: {error}")
        else:
            self.stdout.write(f"    changed; costs of {counted(change.num_days, 'day')} are recalculated by the worker")


def _described(difference: Difference) -> str:
    book = _price(difference.book_price) if difference.is_in_book else "nothing"
    return f"{difference.terms} from {difference.terms.effective_date}: {book} → {_price(difference.list_price)}"


def _price(unit_price: Decimal | None) -> str:
    return "ended" if unit_price is None else f"{unit_price.normalize():f}"
