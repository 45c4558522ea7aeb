from functools import partial

from django.conf import settings

from usage_dashboard.demo import demo
from usage_dashboard.machine.launcher import Plan
from usage_dashboard.management.commands import run


class Command(run.Command):
    help = "Run everything on this machine with a demo enterprise in it, filled on the first start."

    def plan(self) -> Plan:
        fill = partial(demo.fill, write=self.write_part)
        return Plan(data_dir=settings.DATA_DIR, port=settings.PORT, demo=True, fill=fill)

    def greeting(self) -> str:
        sign_ins = "\n".join(f"    {email}" for email in demo.SIGN_INS)
        return f"Ready at {settings.SITE_ADDRESS} – Ctrl-C ends it. Sign in with the password {demo.PASSWORD} as\n{sign_ins}"
