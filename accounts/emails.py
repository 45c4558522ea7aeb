"""One way to write an email address, so that one mailbox is one person."""

from typing import Final

import idna
from django.core.exceptions import ValidationError

LONGEST: Final = 254


def normalized(email: str) -> str:
    """The address in lower case, its domain in the ASCII form that the domain name system knows (IDNA 2008).

    `bücher.example`, `BÜCHER.example` and `xn--bcher-kva.example` are one domain. Raises ValidationError for a domain that
    cannot be. What is no address at all comes back in lower case.
    """
    name, at, domain = email.strip().lower().rpartition("@")
    if domain.isascii():
        return f"{name}{at}{domain}"
    try:
        found = f"{name}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError as error:
        raise ValidationError("This is not a valid domain. Enter another email address.") from error
    if len(found) > LONGEST:
        raise ValidationError(f"An email address can have at most {LONGEST} characters, with its domain in ASCII.")
    return found
