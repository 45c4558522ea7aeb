"""Readable names beside ids: one query for a page, and none where nothing needs one."""

import pytest
from pytest_django import DjangoAssertNumQueries

from metering.measures import UsageType
from metering.usage.groupings import (
    API_KEY,
    GROUPINGS,
    MODEL,
    ORGANIZATION,
    SERVICE_TIER,
    UNTRACKED,
    USAGE_TYPE,
    USER,
    Grouping,
)
from metering.usage.names import Names, names_of
from tests.usage.rollup_rows import make_key, sku_of
from tests.world import World


def test_all_names_of_a_page_are_one_query(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    key, sku = make_key(world.alice, "batch jobs"), sku_of("gpt-4o")
    wanted = {USER: [world.alice.pk, world.rita.pk], API_KEY: [key.pk, UNTRACKED], MODEL: [sku.model_id]}
    with django_assert_num_queries(1):
        names = names_of(wanted, [world.acme, world.labs])
    assert names.of(USER, world.alice.pk).name == "Alice Ames"
    assert names.of(USER, world.alice.pk).address_value == world.alice.public_id
    found = names.of(API_KEY, key.pk)
    assert (found.name, found.detail, found.address_value) == ("batch jobs", "sk-...q9Z", key.public_id)
    assert names.of(MODEL, sku.model_id).address_value == "gpt-4o"
    assert names.of(ORGANIZATION, world.labs.pk).name == "Acme Labs"
    assert names.of(API_KEY, UNTRACKED).name == "Untracked"


def test_what_needs_no_query_asks_none(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        names = names_of({ORGANIZATION: [world.acme.pk], MODEL: [], USAGE_TYPE: [1]}, [world.acme])
    assert names.of(ORGANIZATION, world.acme.pk).address_value == world.acme.public_id


@pytest.mark.parametrize("usage_type", list(UsageType))
def test_usage_types_read_as_words_and_stand_in_addresses_as_they_are_sent(usage_type: UsageType) -> None:
    found = names_of({}).of(USAGE_TYPE, usage_type.value)
    assert "_" not in found.name
    assert found.address_value == usage_type.label


def test_a_user_without_a_name_is_called_by_the_address(world: World) -> None:
    world.rita.name = ""
    world.rita.save(update_fields=["name"])
    assert names_of({USER: [world.rita.pk]}).of(USER, world.rita.pk).name == "rita@acme.test"


@pytest.mark.parametrize("grouping", GROUPINGS.values(), ids=list(GROUPINGS))
def test_an_id_without_a_name_shows_itself(grouping: Grouping) -> None:
    assert Names().of(grouping, 7).name == "#7"


def test_a_models_place_is_its_place_among_all_models(db: None) -> None:
    skus = [sku_of(name) for name in ("zebra", "ant", "bee")]
    names = names_of({MODEL: [sku.model_id for sku in skus]})
    assert [names.of(MODEL, sku.model_id).place for sku in skus] == [0, 1, 2]
    alone = names_of({MODEL: [skus[2].model_id]})
    assert alone.of(MODEL, skus[2].model_id).place == 2


def test_the_tiers_that_everybody_has_need_no_row() -> None:
    assert names_of({}).of(SERVICE_TIER, 1).address_value == "default"
