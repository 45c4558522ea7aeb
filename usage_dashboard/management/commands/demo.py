from django.conf import settings

from usage_dashboard.demo import demo
from usage_dashboard.machine.launcher import Plan
from usage_dashboard.machine.processes import LaunchError
from usage_dashboard.management.commands import run


class Command(run.Command):
    help = "Run everything on this machine with a demo enterprise in it, filled on the first start."

    def plan(self) -> Plan:
        return Plan(data_dir=settings.DATA_DIR, port=settings.PORT, demo=True, command="make demo", fill=self.fill)

    def fill(self) -> None:
        """The demo, unless it is there. Raises LaunchError for a database of others, which stays as it is."""
        try:
            demo.fill(write=self.write_part)
        except demo.NotEmptyError as error:
            raise LaunchError(f"{error} {run.elsewhere('make demo')}") from error

    def greeting(self) -> str:
        sign_ins = "\n".join(f"    {email:<24} {who}" for email, who in demo.SIGN_INS.items())
        return f"Ready at {settings.SITE_ADDRESS} – Ctrl-C ends it. Sign in with the password {demo.PASSWORD} as\n{sign_ins}"
