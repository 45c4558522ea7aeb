"""A program that provisions while people change the same organizations and people on pages."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from accounts.audit.audit import Actor
from accounts.changes import change
from accounts.clock import database_now
from accounts.models import Membership, Organization, User
from accounts.organizations.organizations import locked
from apikeys.coverage import coverage
from billing.prices import payers
from metering.rollups import run
from tests.database.waiting import until_in_line, until_somebody_waits
from tests.world import Role, join
from usage_dashboard.provisioning import apply
from usage_dashboard.provisioning.lines import Line

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(name="a test")


def make(name: str) -> Organization:
    return Organization.objects.create(name=name, slug=name.lower(), external_id=name)


def carry_out(*lines: Line) -> None:
    try:
        decisions = apply.apply(lines, actor=ACTOR)
    finally:
        connection.close()
    assert [decision.error for decision in decisions] == [None] * len(lines)


def pay(organization: Organization, parent: Organization) -> None:
    try:
        payers.change_payer(organization=organization, parent=parent, actor=ACTOR, now=database_now())
    finally:
        connection.close()


def test_a_user_who_ends_while_an_admin_of_the_last_of_their_organizations_asks_them() -> None:
    first, last = make("First"), make("Last")
    owner = User.objects.create_user("owner@example.test")
    person = User.objects.create_user("user@example.test", external_id="u1")
    for organization in (first, last):
        join(owner, organization, role=Role.OWNER)
        join(person, organization, role=Role.READER)
    with ThreadPoolExecutor(1) as threads:
        with change() as now:
            locked(last)  # as the page of keys does it, which judges first who asks
            ending = threads.submit(carry_out, Line("users", "u1", is_end=True))
            until_somebody_waits()
            coverage.ask(organization=last, user=person, actor=ACTOR, now=now)
        ending.result(timeout=30)
    assert set(Membership.objects.filter(left_at__isnull=True).values_list("user", flat=True)) == {owner.pk}


def test_who_pays_changes_by_the_operator_and_by_a_program_while_usage_is_rolled_up() -> None:
    """Both wait for the end of the run, the operator first. The program renames the organization before."""
    payer, paid = make("Payer"), make("Paid")
    line = Line("organizations", "Paid", {"name": "Another name", "parent": "Payer"})
    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic(), connection.cursor() as cursor:
            run.lock(cursor, wait=True)
            by_operator = threads.submit(pay, paid, payer)
            until_in_line(1)
            by_program = threads.submit(carry_out, line)
            until_in_line(2)
        by_operator.result(timeout=30)
        by_program.result(timeout=30)
    assert [child.name for child in payer.children.all()] == ["Another name"]
