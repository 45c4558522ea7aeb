"""Which FOCUS file is asked for, and the answer that is the file: the same for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, QueryDict

from accounts.audit.audit import Actor
from accounts.models import Organization
from accounts.periods import Period
from exports.files import file_response
from exports.focus.cost import num_unpriced
from exports.focus.datasets import CONTENT_TYPES, COST_AND_USAGE, CSV_FORMAT, DATASETS, Dataset, formats, pieces
from exports.focus.scope import Scope
from exports.forms import RefusedExportError, read_period
from metering.pages.query_strings import shortened
from metering.rollups.freshness import complete_through


@dataclass(frozen=True)
class Wanted:
    """Which file is asked for."""

    dataset: Dataset
    format_word: str
    period: Period

    @property
    def name(self) -> str:
        return f"focus-{self.dataset.word}-{self.period.start}-{self.period.end}.{self.format_word}"


def read_wanted(data: QueryDict, today: date) -> Wanted:
    """The file that the parameters name. Raises RefusedExportError."""
    word = data.get("dataset", COST_AND_USAGE.word)
    dataset = next((dataset for dataset in DATASETS if dataset.word == word), None)
    if dataset is None:
        known = ", ".join(dataset.word for dataset in DATASETS)
        raise RefusedExportError(f"“dataset” must be one of {known}, not “{shortened(word)}”.")
    format_word = data.get("format", CSV_FORMAT)
    if format_word not in formats():
        raise RefusedExportError(f"“format” must be one of {', '.join(formats())}, not “{shortened(format_word)}”.")
    return Wanted(dataset, format_word, read_period(data, today, max_days=settings.FOCUS_MAX_DAYS))


def file_of(request: HttpRequest, wanted: Wanted, seen: Sequence[Organization], *, actor: Actor) -> HttpResponseBase:
    """The file of the first of these organizations as payer; names are those of all of them."""
    payer, moment = seen[0], complete_through()
    scope = Scope(payer, wanted.period, tuple(found.pk for found in seen), moment)
    return file_response(
        request,
        partial(pieces, wanted.dataset, scope, wanted.format_word),
        name=wanted.name,
        content_type=CONTENT_TYPES[wanted.format_word],
        complete_through=moment,
        organization=payer,
        actor=actor,
        headers={"X-Unpriced-Items": f"{num_unpriced(scope)}"} if wanted.dataset == COST_AND_USAGE else {},
    )
