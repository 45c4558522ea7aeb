"""The cursors of pages: where the next page begins and all of them end, signed, for one question of one key alone."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Final

from django.core.signing import BadSignature, Signer

from apikeys.adminkeys.api import InvalidRequestError
from exports.openai_api.parameters import EPOCH, Asked

PREFIX: Final = "page_"
_signer: Final = Signer(salt="exports.openai_api.cursors")


def make(asked: Asked, *, key_id: str, start: datetime, end: datetime) -> str:
    """The cursor of the page that begins at `start`; what was up to now at the first page ends at `end` on all."""
    return PREFIX + _signer.sign_object([_seconds(start), _seconds(end), _digest(asked, key_id)])


def read(asked: Asked, *, key_id: str) -> tuple[datetime, datetime]:
    """Where the page begins and all end. Raises InvalidRequestError for one that is not of this question and key."""
    try:
        start, end, digest = _signer.unsign_object((asked.page or "").removeprefix(PREFIX))
    except (BadSignature, ValueError, TypeError):
        raise _refusal() from None
    if digest != _digest(asked, key_id):
        raise _refusal()
    return _moment(start), _moment(end)


def _digest(asked: Asked, key_id: str) -> str:
    return hashlib.sha256(json.dumps([key_id, asked.identity]).encode()).hexdigest()[:16]


def _refusal() -> InvalidRequestError:
    return InvalidRequestError(
        "Invalid 'page': this cursor is not of this request. Send 'next_page' of the answer before, with the same parameters "
        "and the same key.",
        param="page",
        code="invalid_cursor",
    )


def _seconds(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
