"""What words over a share were taken for: for a short time, in bounded places."""

from metering.dictionaries.over_share import OverShare


def test_it_is_remembered_for_the_organization_alone() -> None:
    memory = OverShare[str](seconds=60, most=2, most_each=2)
    memory.remember(1, "moon", "other")
    assert memory.get(1, "moon") == "other"
    assert memory.get(1, "mars") is None
    assert memory.get(2, "moon") is None
    memory.forget()
    assert memory.get(1, "moon") is None


def test_it_is_forgotten_by_itself_and_its_place_is_free_again() -> None:
    memory = OverShare[str](seconds=0, most=1, most_each=1)
    for organization_id in (1, 2):
        memory.remember(organization_id, "moon", "other")
        assert memory.get(organization_id, "moon") is None
    assert len(memory) == 1


def test_there_is_room_for_so_many_organizations_and_so_much_of_each() -> None:
    memory = OverShare[str](seconds=60, most=2, most_each=3)
    for organization_id in range(5):
        for number in range(10):
            memory.remember(organization_id, str(number), "other")
    assert len(memory) == 2 * 3
    assert memory.get(1, "2") == "other"
    assert memory.get(1, "3") is None
    assert memory.get(2, "0") is None
