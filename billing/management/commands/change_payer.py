import argparse

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.audit import Actor
from accounts.changes import ForwardOnlyError
from accounts.clock import database_now
from accounts.models import Organization
from accounts.pages.words import counted
from billing.prices import payers


class Command(BaseCommand):
    help = "From this UTC month on, an organization is billed to another one, or to itself."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("organization", help="slug of the organization")
        parser.add_argument("--parent", help="slug of the organization that pays; without it, it pays itself")

    def handle(self, *, organization: str, parent: str | None, **options: object) -> None:  # noqa: ARG002
        try:
            change = payers.change_payer(
                organization=_find(organization),
                parent=_find(parent) if parent else None,
                actor=Actor(name="change_payer"),
                now=database_now(),
            )
        except (payers.PayerRefusedError, ForwardOnlyError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{change}. Costs of {counted(change.num_days, 'day')} are recalculated by the worker.")


def _find(slug: str) -> Organization:
    found = Organization.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no organization {slug}.")
    return found
