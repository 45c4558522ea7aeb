"""The page “Connect your gateway”: each block of it does what it says, against this server."""

import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_django.live_server_helper import LiveServer

from apikeys.models import APIKey
from metering.models import UsageEvent
from tests.engine import days_ago, make_key, make_token, num_events
from tests.examples.recipes import ROOT, block, filled, page, run
from tests.world import World

PAGE = page("connect.md")


@pytest.fixture
def api_key(live_server: LiveServer, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> APIKey:
    """Of Rita's; the environment is what the page has had set by then."""
    key = make_key(world.rita)
    monkeypatch.setenv("USAGE_URL", live_server.url)
    monkeypatch.setenv("USAGE_TOKEN", make_token())
    monkeypatch.setenv("KEY_ID", key.public_id)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "examples"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)
    return key


def test_the_first_event_is_accepted_and_then_a_duplicate(api_key: APIKey) -> None:
    text = block(PAGE, "sh", 'curl "$USAGE_URL')
    (noted,) = re.findall(r"^    export (SERVED_AT=.*)$", PAGE, re.MULTILINE)
    again = f"{noted}\n{text}\nsleep 1.1\n{text}"
    first, second = run("sh", "-c", again).replace("}{", "}\n{").splitlines()
    assert (json.loads(first)["accepted"], json.loads(second)["duplicates"]) == (1, 1)
    event = UsageEvent.objects.get()
    assert (event.api_key_id, event.input_tokens, event.output_tokens) == (api_key.pk, 1200, 340)


def test_the_lines_of_python_report_an_event(api_key: APIKey) -> None:
    run(sys.executable, "-c", block(PAGE, "python", "import os"))
    event = UsageEvent.objects.get()
    assert (event.api_key_id, event.input_tokens, event.output_tokens) == (api_key.pk, 1200, 340)


NGINX: Final = {
    "$request_id": "{id}",
    "$msec": "{at:.3f}",
    "$http_x_api_key_id": "{key}",
    "$upstream_http_x_model": "{model}",
    "$upstream_http_x_input_tokens": "{input}",
    "$upstream_http_x_output_tokens": "{output}",
}
ENVOY: Final = {
    "%REQ(X-REQUEST-ID)%": "{id}",
    "%START_TIME(%s.%3f)%": "{at:.3f}",
    "%REQ(X-API-KEY-ID)%": "{key}",
    "%RESP(X-MODEL)%": "{model}",
    "%RESP(X-INPUT-TOKENS)%": "{input}",
    "%RESP(X-OUTPUT-TOKENS)%": "{output}",
}


@pytest.mark.parametrize(
    ("log_format", "variables", "nothing"),
    [(r"log_format usage '(.*)';", NGINX, ""), (r'inline_string: "(.*)"', ENVOY, "-")],
    ids=["nginx", "envoy"],
)
def test_lines_of_an_access_log_become_events_once(
    api_key: APIKey, tmp_path: Path, log_format: str, variables: dict[str, str], nothing: str
) -> None:
    """The lines are what the proxy writes by the page's format; neither proxy is run."""
    (written,) = re.findall(log_format, PAGE)
    line = filled(written, variables).replace(r"\t", "\t").removesuffix(r"\n")
    at = days_ago(1).timestamp()
    calls: list[dict[str, Any]] = [
        {"model": "gpt-5", "key": api_key.public_id, "input": 100 + number, "output": 7} for number in range(3)
    ]
    others: list[dict[str, Any]] = [dict.fromkeys(("model", "key", "input", "output"), nothing)]
    lines = [line.format(id=f"{number:032x}", at=at, **call) for number, call in enumerate([*calls, *others])]
    (tmp_path / "usage.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = block(PAGE, "sh", "awk")
    assert json.loads(run("sh", "-c", recipe))["accepted"] == 3
    assert json.loads(run("sh", "-c", recipe))["duplicates"] == 3
    assert num_events() == 3
    assert set(UsageEvent.objects.values_list("input_tokens", flat=True)) == {100, 101, 102}


def test_what_litellms_configuration_names_takes_what_its_callback_sends(api_key: APIKey) -> None:
    """LiteLLM itself is not run: this sends what `log_format: ndjson` sends, to the address and with the header of the page."""
    config = page("litellm.md")
    endpoint, header = (
        re.search(r"endpoint: \S+?(/v1/\S+)", config),
        re.search(r'\{Authorization: "(Bearer) it-…"\}', config),
    )
    assert endpoint is not None
    assert header is not None
    call = {
        "id": "chatcmpl-1",
        "call_type": "acompletion",
        "status": "success",
        "endTime": days_ago(1).timestamp(),
        "model": "openai/gpt-4o",
        "custom_llm_provider": "openai",
        "metadata": {"user_api_key_hash": bytes(api_key.digest).hex()},
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = {"Authorization": f"{header[1]} {os.environ['USAGE_TOKEN']}", "Content-Type": "application/x-ndjson"}
    address = os.environ["USAGE_URL"] + endpoint[1]
    request = urllib.request.Request(address, json.dumps(call).encode() + b"\n", headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        assert json.loads(answer.read())["accepted"] == 1
    assert UsageEvent.objects.get().input_tokens == 12


def test_every_link_of_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert len(links) >= 8
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
