import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.audit import OPERATOR, Actor
from usage_dashboard.provisioning import sync_file
from usage_dashboard.provisioning.apply import apply, rehearse, sets_of
from usage_dashboard.provisioning.lines import Decision, Status


class Command(BaseCommand):
    help = (
        "Makes organizations, users, memberships, projects and keys what a YAML file says, by your own ids. Shows what it "
        "would do; --apply does it. What the file does not name stays as it is."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--apply", action="store_true", help="do it, after showing it")

    def handle(self, *, file: Path, apply: bool, **_options: Any) -> None:
        try:
            lines = sync_file.read(file)
        except sync_file.UnreadableFileError as error:
            raise CommandError(f"Nothing was changed.\n{error}") from error
        actor = Actor(name=f"{OPERATOR}of manage.py sync")
        planned = rehearse(lines, actor=actor)
        for text in sync_file.plan(planned):
            self.stdout.write(text)
        if any(decision.status == Status.REFUSED for decision in planned):
            raise CommandError("Nothing was changed: some of it cannot be.")
        if all(decision.status == Status.UNCHANGED for decision in planned):
            self.stdout.write("Nothing to do.")
        elif apply:
            self._apply(lines, actor)
        else:
            self.stdout.write("Nothing was changed. With --apply it is.")

    def _apply(self, lines: Any, actor: Actor) -> None:
        """What somebody else has changed meanwhile is refused line by line, and said."""
        decisions: list[Decision] = []
        for one in sets_of(lines):
            done = apply(one, actor=actor)
            decisions += done
            for secret in sync_file.secrets_of(done):
                self.stdout.write(secret)  # at once: if a later set breaks off, it is nowhere else
        if refused := [decision for decision in decisions if decision.status == Status.REFUSED]:
            raise CommandError("\n".join(["Applied, but for:", *sync_file.plan(refused)]))
        self.stdout.write("Applied.")
