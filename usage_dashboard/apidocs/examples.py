"""Examples of a call to copy: as a curl command, and in Python with its standard library alone."""

import json
import pprint
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from accounts.installation.site import address_of
from usage_dashboard.apidocs.own import Own

Entry = dict[str, Any]
ADMIN_KEY: Final = "ADMIN_KEY"
VARIABLES: Final = {"ingest": "INGEST_TOKEN", "operator": "OPERATOR_TOKEN", "provisioning": "OPERATOR_TOKEN"}
"""What names of security schemes have in them → the variable of the environment from which examples take the secret."""
OF_LINES: Final = ("application/x-ndjson",)
"""Types of bodies in which a line break ends what is said."""
MARK: Final = "…"


@dataclass(frozen=True)
class Example:
    """Something to copy, and what it is."""

    title: str
    text: str


def examples_of(path: str, method: str, entry: Entry, own: Own) -> Iterator[Example]:
    """The call as it stands in the description, with the reader's own ids, of this moment; none where it says too little."""
    address, variable = _address(path, entry, own), _variable(entry)
    media_type, body = _body(entry, own)
    if "{" in address or (entry.get("requestBody") and not media_type):
        return
    yield Example("curl", _curl(address, method, variable, media_type, body))
    yield Example("Python", _python(address, method, variable, media_type, body))


def _variable(entry: Entry) -> str:
    scheme = next(iter(entry["security"][0]))
    return next((name for word, name in VARIABLES.items() if word in scheme.lower()), ADMIN_KEY)


def _address(path: str, entry: Entry, own: Own) -> str:
    """With what parameters have an example."""
    said = {
        (parameter["in"], parameter["name"]): own.filled(_value(parameter))
        for parameter in entry.get("parameters", ())
        if "examples" in parameter
    }
    for (place, name), value in said.items():
        if place == "path":
            path = path.replace(f"{{{name}}}", _quoted(value))
    query = [
        f"{name}={_quoted(one)}"
        for (place, name), value in said.items()
        if place == "query"
        for one in (value if isinstance(value, list) else [value])
    ]
    return address_of(path) + ("?" + "&".join(query) if query else "")


def _quoted(value: object) -> str:
    """As addresses have it, but for the mark of what readers put in themselves."""
    return quote(str(value)).replace(quote(MARK), MARK)


def _body(entry: Entry, own: Own) -> tuple[str, Any]:
    content = entry.get("requestBody", {}).get("content", {})
    return next(((name, own.filled(_value(said))) for name, said in content.items() if "examples" in said), ("", None))


def _value(said: Entry) -> Any:
    return next(iter(said["examples"].values()))["value"]


def _curl(address: str, method: str, variable: str, media_type: str, body: Any) -> str:
    usual = "post" if media_type else "get"
    asked = "curl" if method == usual else f"curl -X {method.upper()}"
    lines = [f'{asked} "{address}"', f'-H "Authorization: Bearer ${variable}"']
    if media_type:
        indent = None if media_type in OF_LINES else 2
        lines += [f'-H "Content-Type: {media_type}"', f"-d '{json.dumps(body, indent=indent, ensure_ascii=False)}'"]
    return " \\\n  ".join(lines)


def _python(address: str, method: str, variable: str, media_type: str, body: Any) -> str:
    headers = f'"Authorization": f"Bearer {{os.environ[\'{variable}\']}}"'
    modules, said, data = ["os", "urllib.request"], "", ""
    if media_type:
        headers += f', "Content-Type": "{media_type}"'
        modules = ["json", *modules]
        said = f"body = {pprint.pformat(body, sort_dicts=False, width=88)}\n"
        data = "    data=json.dumps(body).encode(),\n"
    if method != ("post" if media_type else "get"):
        data += f'    method="{method.upper()}",\n'
    imports = "".join(f"import {name}\n" for name in modules)
    request = f'request = urllib.request.Request(\n    "{address}",\n{data}    headers={{{headers}}},\n)\n'
    ask = "with urllib.request.urlopen(request) as answer:\n    print(answer.read().decode())"
    return f"{imports}\n{said}{request}{ask}"
