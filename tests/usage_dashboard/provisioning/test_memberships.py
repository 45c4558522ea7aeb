"""Memberships by the operator's own id, from when they hold, and the organization that is a person's default one."""

from datetime import timedelta

import pytest

from accounts.audit.audit import OPERATOR
from accounts.audit.log import label_of
from accounts.clock import database_now
from accounts.models import AuditEvent, DefaultOrganizationChange, Membership, Organization, RoutingVersion, User
from tests.engine import make_event, make_key, make_token, send
from tests.provisioning import Operator, operator, refusal
from tests.world import World


@pytest.fixture
def program(world: World) -> Operator:
    found = operator()
    found.made("organizations/c1", name="One")
    found.made("organizations/c2", name="Two")
    found.made("users/u1", email="peter@initech.test")
    return found


def join(
    program: Operator, external_id: str, organization: str, role: str = "owner", **said: object
) -> tuple[int, object]:
    return program.put(f"memberships/{external_id}", user="u1", organization=organization, role=role, **said)


def test_the_first_organization_becomes_the_default_one_for_all_times(program: Operator) -> None:
    status, made = join(program, "m1", "c1")
    assert status == 201
    assert made["is_default"] is True  # type: ignore[index]
    user = User.objects.get(external_id="u1")
    assert user.default_organization == Organization.objects.get(external_id="c1")
    assert DefaultOrganizationChange.objects.filter(user=user).count() == 1
    assert join(program, "m2", "c2")[1]["is_default"] is False  # type: ignore[index]
    assert join(program, "m2", "c2", is_default=True)[1]["is_default"] is True  # type: ignore[index]
    assert program.get("users/u1")[1]["default_organization"] == "c2"
    assert DefaultOrganizationChange.objects.filter(user=user).count() == 2


def test_a_second_time_writes_nothing_and_disturbs_nobody(program: Operator) -> None:
    first = join(program, "m1", "c1", is_default=True)
    events, version = AuditEvent.objects.count(), RoutingVersion.objects.get().version
    assert join(program, "m1", "c1", is_default=True) == (200, first[1])
    assert (AuditEvent.objects.count(), RoutingVersion.objects.get().version) == (events, version)


def test_a_role_changes_and_the_last_owner_stays_one(program: Operator) -> None:
    join(program, "m1", "c1")
    assert refusal(join(program, "m1", "c1", role="reader")) == (409, "last_owner")
    program.made("users/u2", email="q@initech.test")
    program.made("memberships/m2", user="u2", organization="c1", role="owner")
    assert join(program, "m1", "c1", role="reader")[0] == 200
    assert refusal(program.end("memberships/m2")) == (409, "last_owner")


def test_an_id_keeps_its_person_and_place(program: Operator) -> None:
    join(program, "m1", "c1")
    assert refusal(join(program, "m1", "c2")) == (409, "immutable")
    assert refusal(join(program, "other", "c1")) == (409, "already_member")
    assert refusal(join(program, "x", "nowhere")) == (400, "unknown_reference")
    assert refusal(program.put("memberships/x", user="no", organization="c1", role="owner")) == (
        400,
        "unknown_reference",
    )


def test_a_membership_that_there_is_becomes_known_by_its_id(program: Operator, world: World) -> None:
    program.made("organizations/acme", name="Acme", id=world.acme.public_id)
    program.made("users/rita", email="rita@acme.test")
    program.made("memberships/rita-acme", user="rita", organization="acme", role="reader")
    membership = Membership.objects.get(user=world.rita)
    assert (membership.external_id, membership.left_at) == ("rita-acme", None)


def test_ending_keeps_the_history_and_coming_back_is_another_time(program: Operator) -> None:
    program.made("users/u2", email="q@initech.test")
    program.made("memberships/owner", user="u2", organization="c1", role="owner")
    join(program, "m1", "c1", role="reader")
    assert refusal(program.end("memberships/m1", effective_at="2020-01-01T00:00:00Z")) == (409, "ends_before_start")
    _, ended = program.end("memberships/m1")
    assert ended["left_at"] is not None
    assert program.get("users/u1")[1]["default_organization"] is None
    assert program.end("memberships/m1") == (200, ended)
    overlapping = (database_now() - timedelta(hours=1)).isoformat()
    assert refusal(join(program, "m1", "c1", effective_at=overlapping)) == (409, "invalid_effective_at")
    assert join(program, "m1", "c1", role="reader")[0] == 201
    assert Membership.objects.filter(external_id="m1").count() == 2
    assert program.get("users/u1")[1]["default_organization"] == "c1"


def test_a_default_does_not_move_under_usage_that_is_stored(program: Operator, world: World) -> None:
    program.made("organizations/acme", name="Acme", id=world.acme.public_id)
    program.made("users/rita", email="rita@acme.test")
    key = make_key(world.rita)
    assert send([make_event(id="e", api_key_id=key.public_id)], make_token()) == ["accepted"]
    before = (database_now() - timedelta(days=30)).isoformat()
    said = {"user": "rita", "organization": "c1", "role": "reader", "is_default": True}
    assert refusal(program.put("memberships/rita-c1", **said, effective_at=before)) == (409, "usage_stored")
    assert not Membership.objects.filter(external_id="rita-c1").exists()
    assert program.made("memberships/rita-c1", **said)["is_default"] is True
    program.made("memberships/rita-acme", user="rita", organization="acme", role="reader")
    assert refusal(program.end("memberships/rita-acme", effective_at=before)) == (409, "invalid_effective_at")


def test_a_membership_made_by_hand_is_taken_over_and_its_owners_can_read_that(program: Operator, world: World) -> None:
    program.made("organizations/acme", name="Acme", id=world.acme.public_id)
    program.made("users/rita", email="rita@acme.test")
    said = {"user": "rita", "organization": "acme", "role": "reader"}
    program.made("memberships/rita-acme", **said)
    program.made("memberships/rita-acme", **said)
    assert Membership.objects.get(external_id="rita-acme").user == world.rita
    entry = AuditEvent.objects.get(event="membership.taken_over")
    assert (entry.organization, entry.target_id) == (world.acme, world.rita.public_id)
    assert entry.actor_name.startswith(OPERATOR)
    assert label_of(entry.event) == "Membership taken over by provisioning"
