import sys

from django.core.management.base import BaseCommand

from usage_dashboard.first_start import setting_up


class Command(BaseCommand):
    help = "Print where the first person of this installation sets it up, while nobody is staff."

    def handle(self, *_args: object, **_options: object) -> None:
        if not setting_up.is_open():
            sys.exit(
                "This installation has been set up: somebody is staff. Others are invited, or added with createsuperuser."
            )
        self.stdout.write(setting_up.link())
