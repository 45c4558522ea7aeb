import sys
from typing import Final

from django.conf import settings
from django.core.management.base import BaseCommand

from usage_dashboard.demo import demo
from usage_dashboard.first_start import setting_up, unattended
from usage_dashboard.machine.launcher import Plan, launch
from usage_dashboard.machine.processes import LaunchError

DEMO_IS_HERE: Final = "The demo is in this database, and everybody knows the password of its people."


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
        return Plan(data_dir=settings.DATA_DIR, port=settings.PORT, demo=settings.DEMO, fill=self.fill)

    def fill(self) -> None:
        """What INIT_… says. Raises LaunchError for what cannot be, and where the demo's people could sign in."""
        if not settings.DEMO and demo.is_open():
            raise LaunchError(f"{DEMO_IS_HERE} {elsewhere('make run')}")
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


def elsewhere(command: str) -> str:
    """What to do about a database that holds something else."""
    if settings.DATABASE_URL:
        return "Set DATABASE_URL to an empty one."
    return f"Choose another directory, for it and for all commands: export DATA_DIR={settings.DATA_DIR}-2, and then {command}"
