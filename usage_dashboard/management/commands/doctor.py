import sys

from django.core.management.base import BaseCommand

from accounts.pages.words import counted
from usage_dashboard.doctor import facts
from usage_dashboard.doctor.examination import examine
from usage_dashboard.doctor.findings import Weight


class Command(BaseCommand):
    help = "Say what is wrong with this installation, a sentence each with its remedy; exit status 1 if something must be mended."
    requires_system_checks = ()

    def handle(self, *, verbosity: int, **_options: object) -> None:
        num = dict.fromkeys(Weight, 0)
        for _, finding in examine(more=facts.ALL):
            num[finding.weight] += 1
            if finding.weight is not Weight.FINE or verbosity > 1:
                self.stdout.write(f"{finding.weight:<5}  {finding.sentence} {finding.remedy}".rstrip())
        wrong, notes = counted(num[Weight.WRONG], "thing"), counted(num[Weight.NOTE], "note")
        self.stdout.write(f"{wrong} to mend, {notes}, {num[Weight.FINE]} fine.")
        if num[Weight.WRONG]:
            sys.exit(1)
