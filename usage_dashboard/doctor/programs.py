"""The programs beside web: are they there?"""

from collections.abc import Iterator
from typing import Final

from usage_dashboard.celery import app
from usage_dashboard.doctor.findings import Finding, fine, wrong
from usage_dashboard.monitoring.broker import beat_is_alive

ANSWER_SECONDS: Final = 3.0
TAKES: Final = {
    "worker": ("celery", "rollups, prices and budgets stand still"),
    "deliveries": ("deliveries", "emails and webhooks of budgets and invoices wait"),
}


def workers() -> Iterator[Finding]:
    """A worker for each queue, and beat."""
    beats = beat_is_alive()
    if beats is None:
        return  # what cannot be asked is said of Redis
    needed = {queue for queue, _ in TAKES.values()}
    # As many answers as there are programs, as a rule. Only where these are of the same program, others are waited for.
    answers = _answers(limit=len(TAKES))
    if len(answers) == len(TAKES) and not needed <= set().union(*answers):
        answers = _answers(limit=None)
    taken = set().union(*answers)
    for program, (queue, what) in TAKES.items():
        if queue in taken:
            yield fine(f"{program} answers.")
        else:
            yield wrong(f"No {program} answers: {what}.", f"Start {program} (Procfile), or see its log.")
    if beats:
        yield fine("beat is at work.")
    else:
        yield wrong(
            "beat has sent nothing for a minute: nothing happens by itself.", "Start beat (Procfile), or see its log."
        )


def _answers(*, limit: int | None) -> list[set[str]]:
    """The queues of each worker that answers, after so many answers or ANSWER_SECONDS."""
    queues = app.control.inspect(timeout=ANSWER_SECONDS, limit=limit).active_queues() or {}
    return [{queue["name"] for queue in of_worker} for of_worker in queues.values()]
