"""The cursors of pages: where the next page begins, signed, for one question of one key alone."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from django.core.signing import BadSignature, Signer

from apikeys.adminkeys.api import InvalidRequestError

PREFIX: Final = "page_"
_signer: Final = Signer(salt="exports.admin_api.cursors")


def make(position: Sequence[object], *, question: Sequence[object], key_id: str) -> str:
    """The cursor of a page of a question, which is what stays the same from page to page. Both hold nothing that JSON does
    not have."""
    return PREFIX + _signer.sign_object([*position, _digest(question, key_id)])


def read(cursor: str, *, question: Sequence[object], key_id: str) -> list[Any]:
    """The position that the cursor was made of. Raises InvalidRequestError for one that is not of this question and key."""
    try:
        *position, digest = _signer.unsign_object(cursor.removeprefix(PREFIX))
    except (BadSignature, ValueError, TypeError):
        raise _refusal() from None
    if digest != _digest(question, key_id):
        raise _refusal()
    return list(position)


def _digest(question: Sequence[object], key_id: str) -> str:
    return hashlib.sha256(json.dumps([key_id, question]).encode()).hexdigest()[:16]


def _refusal() -> InvalidRequestError:
    return InvalidRequestError(
        "Invalid 'page': this cursor is not of this request. Send 'next_page' of the answer before, with the same parameters "
        "and the same key.",
        param="page",
        code="invalid_cursor",
    )
