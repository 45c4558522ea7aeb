"""Every code that the code of an API can say is in the description."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from metering.intake.description.refusals import ITEM, MEDIA_TYPE, PROTOBUF, REQUEST
from metering.intake.formats import native
from usage_dashboard.apidocs.generator import document

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
ITEMS = ("Refusal", "_refusal", "RefusedError")
OF_THE_TEST_EVENT = {"unauthenticated"}  # of a form for staff


def calls(folder: str, *names: str) -> Iterator[ast.Call]:
    """The calls of functions with these names in the modules of a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "history" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                    yield node


def codes_in(found: Iterator[ast.Call], *, keyword: str = "") -> set[str]:
    """The first literal of each call that is a code, or the one that is called so."""
    codes = set()
    for call in found:
        said = [one.value for one in call.keywords if one.arg == keyword] if keyword else call.args[:2]
        texts = [one.value for one in said if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        codes.update([text for text in texts if CODE.fullmatch(text)][:1])
    return codes


def described(prefix: str) -> set[str]:
    entries = [
        entry for path, methods in document()["paths"].items() if path.startswith(prefix) for entry in methods.values()
    ]
    texts = [answer["description"] for entry in entries for answer in entry["responses"].values()]
    return {code for text in texts for code in re.findall(r"^`(\w+)`: ", text, re.MULTILINE)}


def test_codes_of_single_items_are_described() -> None:
    known = codes_in(calls("metering/intake", *ITEMS)) | set(native._FIELD_CODES.values()) | {"invalid_field"}
    assert len(known) > 30
    assert known - OF_THE_TEST_EVENT <= set(ITEM)


def test_codes_of_requests_that_are_refused_as_a_whole_are_described() -> None:
    known = codes_in(calls("metering/intake", "UnreadableError", "too_many")) - {"method_not_allowed"}
    assert len(known) > 15
    assert known <= described("/v1/usage/") | described("/v1/traces")


def test_codes_of_requests_that_no_view_sees_are_described() -> None:
    known = codes_in(calls("usage_dashboard/web", "RefusedError", "error_response"))
    assert known >= {"body_timeout", "https_required"}
    assert known <= described("/v1/usage/")


def test_codes_of_admin_apis_are_described() -> None:
    known = codes_in(calls("exports", "InvalidRequestError"), keyword="code")
    known |= codes_in(calls("apikeys/adminkeys", "InvalidRequestError"), keyword="code")
    assert len(known) > 5
    assert known <= described("/v1/organization")


def test_codes_stand_in_the_page_of_events_too() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    others = ("provider-responses.md", "opentelemetry.md", "cloudevents.md")
    pages = page + "".join((ROOT / "docs" / name).read_text() for name in others)
    of_requests = {code for codes in (*REQUEST.values(), PROTOBUF, MEDIA_TYPE) for code in codes}
    assert [code for code in (*ITEM, *sorted(of_requests)) if f"`{code}`" not in pages] == []
