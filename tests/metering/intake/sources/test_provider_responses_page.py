"""docs/provider-responses.md: its example is taken as it says, and its table has every API."""

import json
import re
from pathlib import Path
from typing import Final

from apikeys.models import APIKey
from metering.intake.sources.providers.apis import NAMES
from metering.models import UsageEvent
from tests.engine import days_ago
from tests.metering.intake.sources.test_responses import statuses

PAGE: Final = (Path(__file__).parents[4] / "docs" / "provider-responses.md").read_text()


def test_the_example_is_taken_and_becomes_what_the_page_says(token: str, key: APIKey) -> None:
    (example,) = re.findall(r"-d '(.*?)'$", PAGE, re.DOTALL | re.MULTILINE)
    item = json.loads(re.sub(r"""'"\$\w+"'""", "", example)) | {"api_key_id": key.public_id, "timestamp": days_ago(1)}
    assert statuses(item, token) == ["accepted"]
    said = re.search(r"`input_tokens` (\d+), of which (\d+) are `input_cached_tokens` and (\d+)\s", PAGE)
    assert said is not None
    columns = ("input_tokens", "input_cached_tokens", "input_cache_write_tokens")
    assert list(UsageEvent.objects.values_list(*columns)) == [tuple(map(int, said.groups()))]


def test_every_api_has_its_row() -> None:
    _, table = PAGE.split("| `api` | reads |")
    rows = re.findall(r"^\| (`.*?) \|", table.partition("\n\n")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(NAMES)
