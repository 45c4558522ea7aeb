"""`metering.intake.duplicates`: what becomes of events when somebody else stores the same ones at the same moment."""

from types import SimpleNamespace
from typing import Any

from metering.intake import copy_rows
from metering.intake.copy_rows import ACCEPTED, CONFLICT, DUPLICATE
from metering.intake.duplicates import _IDENTITY, _sort_out
from metering.measures import MEASURES

MOMENT = 830_000_000_000_000
HOME, NEW_HOME = 1, 2


def row(organization_id: int, *, batch_id: int = 1, input_tokens: int = 5) -> bytes:
    measures = [input_tokens if measure == "input_tokens" else 0 for measure in MEASURES]
    caller, sku = copy_rows.caller_part(7, 8, 6, 5), copy_rows.sku_part(9)
    return copy_rows.any_row(
        copy_rows.organization_part(organization_id), MOMENT, b"e" * 16, caller, sku, batch_id, None, measures
    )


def request(*own_rows: bytes, homes: tuple[tuple[int, int], ...] = ()) -> Any:
    places = list(range(len(own_rows)))
    return SimpleNamespace(rows=list(own_rows), places=places, homes=list(homes), outcomes=[None] * len(own_rows))


def test_a_row_that_we_inserted_stays_ours_when_its_earlier_home_gets_the_event_from_another_sender() -> None:
    moved, named = row(NEW_HOME), row(HOME)
    admitted = request(moved, named, homes=((0, HOME),))
    assert _sort_out([admitted], {}) == {moved[_IDENTITY]: moved, named[_IDENTITY]: named}
    theirs = {named[_IDENTITY]: row(HOME, batch_id=2)}
    new = _sort_out([admitted], theirs, {moved[_IDENTITY]: moved})
    assert new == {moved[_IDENTITY]: moved}
    assert admitted.outcomes == [ACCEPTED, DUPLICATE]


def test_of_two_that_arrive_at_once_the_stored_one_stays_and_the_other_is_told() -> None:
    same, other = request(row(HOME)), request(row(HOME, input_tokens=6))
    stored = {row(HOME)[_IDENTITY]: row(HOME, batch_id=2)}
    assert _sort_out([same, other], stored, {}) == {}
    assert same.outcomes == [DUPLICATE]
    assert other.outcomes == [CONFLICT]
