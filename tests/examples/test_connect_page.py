"""The page “Connect your gateway”: each block of it does what it says, against this server."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from apikeys.models import APIKey
from metering.models import UsageEvent
from tests.engine import days_ago, make_key, make_token, num_events
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")


def block(language: str, beginning: str) -> str:
    """The one block of the page that begins so."""
    [found] = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if text.startswith(beginning)]
    return str(found)


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


def run(*command: str) -> str:
    """What a command prints; it must end well."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)).stdout


def test_the_first_event_is_accepted_and_then_a_duplicate(api_key: APIKey) -> None:
    text = block("sh", 'curl "$USAGE_URL')
    assert json.loads(run("sh", "-c", text))["accepted"] == 1
    event = UsageEvent.objects.get()
    assert (event.api_key_id, event.input_tokens, event.output_tokens) == (api_key.pk, 1200, 340)


def test_the_lines_of_python_report_an_event(api_key: APIKey) -> None:
    run(sys.executable, "-c", block("python", "import os"))
    event = UsageEvent.objects.get()
    assert (event.api_key_id, event.input_tokens, event.output_tokens) == (api_key.pk, 1200, 340)


def test_lines_of_an_access_log_become_events_once(api_key: APIKey, tmp_path: Path) -> None:
    at = days_ago(1).timestamp()
    lines = [f"{number:032x}\t{at:.3f}\t{api_key.public_id}\tgpt-5\t{100 + number}\t7" for number in range(3)]
    others = [f"{9:032x}\t{at:.3f}\t\t\t\t", f"{10:032x}\t{at:.3f}\t-\t-\t-\t-"]
    (tmp_path / "usage.log").write_text("\n".join([*lines, *others]) + "\n", encoding="utf-8")
    text = block("sh", "awk")
    assert json.loads(run("sh", "-c", text))["accepted"] == 3
    assert json.loads(run("sh", "-c", text))["duplicates"] == 3
    assert num_events() == 3
    assert set(UsageEvent.objects.values_list("input_tokens", flat=True)) == {100, 101, 102}


def test_what_litellms_configuration_names_takes_what_its_callback_sends(api_key: APIKey) -> None:
    """LiteLLM itself is not run: this sends what `log_format: ndjson` sends, to the address and with the header of the page."""
    config = (ROOT / "docs" / "litellm.md").read_text(encoding="utf-8")
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


def test_the_log_formats_write_what_the_line_reads() -> None:
    nginx = re.search(r"log_format usage '(.*)';", PAGE)
    envoy = re.search(r'inline_string: "(.*)\\n"', PAGE)
    assert nginx is not None
    assert envoy is not None
    assert len(nginx[1].split(r"\t")) == len(envoy[1].split(r"\t")) == 6
