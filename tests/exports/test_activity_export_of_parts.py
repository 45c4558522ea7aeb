"""The Activity export tells the parts of tokens, and who served the requests."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from metering.models import PriceWord
from tests.exports.test_activity_export import DAY, TOLD_LATER, rows
from tests.usage.export_skus import make_sku
from tests.usage.rollup_rows import add_usage
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PARTS = (
    *("input_cache_write_long_tokens", "input_audio_tokens", "input_image_tokens", "input_video_tokens"),
    *("output_audio_tokens", "output_image_tokens", "output_reasoning_tokens"),
)


def test_each_part_has_its_column(world: World, client_of: SignIn) -> None:
    amounts = {part: 10 + number for number, part in enumerate(PARTS)}
    add_usage(world.acme, DAY, world.rita, None, make_sku(), input_tokens=1_000, output_tokens=500, **amounts)
    (row,) = rows(client_of(world.alice))
    assert [int(row[column]) for column in TOLD_LATER] == list(amounts.values())
    assert (row["n_context_tokens_total"], row["n_generated_tokens_total"]) == ("1000", "500")


def test_usage_of_each_provider_has_its_row_and_regions_share_one(world: World, client_of: SignIn) -> None:
    azure, east = (PriceWord.objects.create(dimension=n, word=word) for n, word in ((1, "azure"), (3, "east")))
    add_usage(world.acme, DAY, world.rita, None, plain := make_sku(), input_tokens=5)
    for number, words in enumerate(
        [{"provider": azure.pk}, {"provider": azure.pk, "region": east.pk}, {"provider": 99}]
    ):
        plain.pk = None
        for name in ("provider", "region"):
            setattr(plain, name, words.get(name, 0))
        plain.save()
        add_usage(world.acme, DAY, world.rita, None, plain, input_tokens=10**number)
    found = {row["provider"]: row["n_context_tokens_total"] for row in rows(client_of(world.alice))}
    assert found == {"": "5", "azure": "11", "other": "100"}
