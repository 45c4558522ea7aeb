"""Under which address people reach this installation: SITE_ADDRESS, whatever Host a request names.

The Host is what the sender of a request says, or a proxy's inner name. A link in an email that follows it leads there.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import get_script_prefix

ADDRESS: Final = re.compile(r"https?://\S+")


def address_of(path: str) -> str:
    """The full address of a path that `reverse` made here.

    In a request it has the path of SITE_ADDRESS in it already; in a thread of a worker it has not.
    """
    return f"{settings.SITE_ADDRESS}/{path.removeprefix(get_script_prefix()).removeprefix('/')}"


def name_of_site() -> str:
    """Host and port of SITE_ADDRESS, as people know them."""
    return str(urlsplit(settings.SITE_ADDRESS).netloc)


def on_site(value: object) -> object:
    """A link that was made from a request's Host, under SITE_ADDRESS; anything else as it is."""
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        return value
    parts = urlsplit(value)
    return address_of(parts._replace(scheme="", netloc="").geturl())
