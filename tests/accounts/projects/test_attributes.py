"""`accounts.projects.attributes`: up to five names, declared, withdrawn and declared again; and the values they may have."""

import pytest

from accounts.changes import organization_change
from accounts.models import Attribute, AuditEvent, Organization
from accounts.projects import attributes
from accounts.projects.attributes import AttributeRefusedError, InvalidValueError, clean_values, declared_of
from tests.world import World


def declare(organization: Organization, name: str, title: str = "Title") -> Attribute:
    with organization_change(organization) as now:
        return attributes.declare(organization=organization, name=name, title=title, now=now)


@pytest.mark.parametrize(
    "name", ["", "Team", "1team", "_team", "te am", "team\n", "équipe", "チーム", "t" * 33, "team-a"]
)
def test_other_names_than_short_plain_ones_are_refused(world: World, name: str) -> None:
    with pytest.raises(AttributeRefusedError, match="begins with a letter"):
        declare(world.acme, name)
    assert not Attribute.objects.exists()


@pytest.mark.parametrize("title", ["", "  ", "t" * 61, "Te\x00am", "Te\nam"])
def test_a_title_is_short_and_printable(world: World, title: str) -> None:
    with pytest.raises(AttributeRefusedError, match="title"):
        declare(world.acme, "team", title)


def test_five_are_declared_at_most_and_each_once(world: World) -> None:
    for name in ("team", "feature", "end_customer", "t", "t" * 32):
        declare(world.acme, name)
    with pytest.raises(AttributeRefusedError, match="declared already"):
        declare(world.acme, "team")
    with pytest.raises(AttributeRefusedError, match="5 attributes, which is the limit"):
        declare(world.acme, "sixth")
    declare(world.other, "team")


def test_a_withdrawn_name_makes_room_and_comes_back_as_the_same_attribute(world: World) -> None:
    team = declare(world.acme, "team", "Team")
    with organization_change(world.acme) as now:
        assert attributes.withdraw(attribute=team, now=now) is True
        assert attributes.withdraw(attribute=team, now=now) is False
    assert declared_of(world.acme) == []
    again = declare(world.acme, "team", "Squad")
    assert again.pk == team.pk
    assert [(one.name, one.title) for one in declared_of(world.acme)] == [("team", "Squad")]


def test_every_change_is_in_the_audit_log(world: World) -> None:
    team = declare(world.acme, "team", "Team")
    with organization_change(world.acme) as now:
        assert attributes.retitle(attribute=team, title=" Squad ") is True
        assert attributes.retitle(attribute=team, title="Squad") is False
        attributes.withdraw(attribute=team, now=now)
    entries = AuditEvent.objects.filter(organization=world.acme).order_by("id")
    assert list(entries.values_list("event", "target_id", "target_name")) == [
        ("attribute.declared", "team", "Team"),
        ("attribute.updated", "team", "Squad"),
        ("attribute.withdrawn", "team", "Squad"),
    ]


def test_values_are_stripped_and_empty_ones_left_out(world: World) -> None:
    declare(world.acme, "team")
    declare(world.acme, "feature")
    assert clean_values(world.acme, {"team": "  検索 ", "feature": " "}) == {"team": "検索"}
    assert clean_values(world.acme, {"team": "x" * 64}) == {"team": "x" * 64}


@pytest.mark.parametrize("value", ["x" * 65, "a\x00b", "a\nb", "a\u2028b", "\ud800"])
def test_a_value_that_is_too_long_or_unprintable_is_refused_with_its_name(world: World, value: str) -> None:
    declare(world.acme, "team")
    with pytest.raises(InvalidValueError) as refused:
        clean_values(world.acme, {"team": value})
    assert refused.value.name == "team"


def test_names_that_are_not_declared_here_have_no_values(world: World) -> None:
    declare(world.other, "team")
    with pytest.raises(AttributeRefusedError, match="has not declared “team”"):
        clean_values(world.acme, {"team": "search"})
