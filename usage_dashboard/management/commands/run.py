import sys

from django.conf import settings
from django.core.management.base import BaseCommand

from usage_dashboard.first_start import setting_up, unattended
from usage_dashboard.machine.launcher import Plan, launch
from usage_dashboard.machine.processes import LaunchError


class Command(BaseCommand):
    help = "Run web, worker and beat until Ctrl-C, and PostgreSQL and Redis unless their URLs are set."
    requires_system_checks = ()

    def handle(self, *_args: object, **_options: object) -> None:
        plan = self.plan()
        try:
            launch(plan, write=self.write, greeting=self.greeting)
        except LaunchError as error:
            sys.exit(str(error))

    def plan(self) -> Plan:
        return Plan(data_dir=settings.DATA_DIR, port=settings.PORT, demo=settings.DEMO, fill=self.initialize)

    def initialize(self) -> None:
        """What INIT_… says. Raises LaunchError for what cannot be."""
        try:
            unattended.initialize(self.write)
        except unattended.RefusedError as error:
            raise LaunchError(str(error)) from error

    def greeting(self) -> str:
        ready = f"Ready at {settings.SITE_ADDRESS} – Ctrl-C ends it."
        if setting_up.is_open():
            return f"{ready}\nNobody is staff yet. Set this installation up at\n    {setting_up.link()}"
        return ready

    def write(self, line: str) -> None:
        """Print a line at once, to a pipe too."""
        self.write_part(f"{line}\n")

    def write_part(self, text: str) -> None:
        """Print the text as it is: a part of a line, such as a progress bar."""
        self.stdout.write(text, ending="")
        self.stdout.flush()
