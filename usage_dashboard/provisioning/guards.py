"""The transaction in which lines are carried out, and whom nobody else changes meanwhile."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Q

from accounts.changes import change, routing_change
from accounts.models import Membership, Organization
from usage_dashboard.provisioning.lines import Decision


@contextmanager
def alone_with(decisions: Collection[Decision]) -> Iterator[datetime]:
    """Alone with the people of these, with their organizations and with those that the people are in; yields the moment.

    All organizations are locked first and in one order, whatever the order of the lines is: a set that holds one, or a person,
    while it waits for another one, and somebody who waits the other way round, would both be lost.
    """
    people = {user for decision in decisions for user in decision.people}
    named = {one.pk for decision in decisions for one in decision.organizations}
    theirs = Membership.objects.filter(user__in=people, left_at__isnull=True).values("organization")
    with routing_change(*people) if people else change() as now:
        rows = Organization.objects.select_for_update(no_key=True).filter(Q(pk__in=named) | Q(pk__in=theirs))
        list(rows.order_by("pk"))
        yield now
