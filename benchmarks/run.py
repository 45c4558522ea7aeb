"""The run: servers up, the chosen figures one after the other, a table and results.json."""

import argparse
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import connection, connections

from benchmarks import tasks_of_many
from benchmarks.ingest import attributes as ingest_attributes
from benchmarks.ingest import batches as ingest_batches
from benchmarks.ingest import formats as ingest_foreign
from benchmarks.ingest import resent as ingest_resent
from benchmarks.ingest import single as ingest_single
from benchmarks.ingest import small as ingest_small
from benchmarks.load.world import World, make_world
from benchmarks.measure import Figure
from benchmarks.pages import admin_api, export
from benchmarks.pages import attributed as attributed_pages
from benchmarks.pages import usage as pages
from benchmarks.quiet import MOST_ATTEMPTS, quietly
from benchmarks.rollups import attributes as rollup_attributes
from benchmarks.rollups import many as rollup_many
from benchmarks.rollups import runs as rollup
from benchmarks.rollups import tuned as tuning
from benchmarks.visible import floods, freshness, many_customers
from usage_dashboard.machine.preparation import migrate
from usage_dashboard.machine.servers import start_postgres

RESULTS = Path(__file__).with_name("results.json")


class Measure(Protocol):
    """How each figure's module is called."""

    def __call__(self, world: World, *, quick: bool) -> Figure | list[Figure]: ...


FIGURES: dict[str, Measure] = {
    "ingest_batches": ingest_batches.measure,
    "ingest_attributes": ingest_attributes.measure,
    "ingest_foreign": ingest_foreign.measure,
    "ingest_resent": ingest_resent.measure,
    "ingest_single": ingest_single.measure,
    "ingest_small": ingest_small.measure,
    "rollup_1m": rollup.measure_million,
    "rollup_100k": rollup.measure_hundred_thousand,
    "rollup_attributes": rollup_attributes.measure,
    "rollup_tuned": tuning.measure,
    "rollup_many": rollup_many.measure,
    "tasks_of_many": tasks_of_many.measure,
    "many_customers": many_customers.measure,
    "pages": pages.measure,
    "attributed_pages": attributed_pages.measure,
    "admin_api": admin_api.measure,
    "freshness": freshness.measure,
    "floods": floods.measure,
    "export": export.measure,
}
ONCE: Final = frozenset({"tasks_of_many"})
"""Figures of processor time, which neighbours add little to, from what cannot be made twice: they are not repeated."""


def main(arguments: Sequence[str]) -> int:
    """Measure and report, each figure as it is found; 0 if every one could be measured, whatever it is."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = time.monotonic()
    before = os.getloadavg()
    with ExitStack() as stack:
        own: dict[str, str] | None = {} if options.default_settings else None
        stack.callback(start_postgres(Path(settings.DATA_DIR), own=own).stop)
        stack.callback(connections.close_all)
        migrate()
        world = make_world("bench")
        figures: list[Figure] = []
        failed: list[str] = []
        for name in options.figures or FIGURES:
            print(f"{name} …", end=" ", file=sys.stderr, flush=True)
            began = time.monotonic()
            try:
                attempt = quietly(
                    partial(FIGURES[name], world, quick=options.quick), attempts=1 if name in ONCE else MOST_ATTEMPTS
                )
            except Exception:  # noqa: BLE001 - what others show is still worth its half hour
                traceback.print_exc()
                failed.append(name)
            else:
                found = attempt.result if isinstance(attempt.result, list) else [attempt.result]
                figures += [replace(figure, quietness=attempt.quietness) for figure in found]
                print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            _write(figures, {**_machine(before), "failed": failed}, quick=options.quick)
    _print(figures, seconds=time.monotonic() - started)
    for name in failed:
        print(f"{name} could not be measured: see above.", file=sys.stderr)
    return 1 if failed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller amounts, fewer repeats: under two minutes in all")
    parser.add_argument(
        "--default-settings", action="store_true", help="PostgreSQL as it comes, not set for this machine"
    )
    parser.add_argument("figures", nargs="*", metavar="figure", help=f"all, or some of: {', '.join(FIGURES)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.figures) - FIGURES.keys():
        parser.error(f"unknown figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    return options


def _machine(load_before: tuple[float, float, float]) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('shared_buffers'), current_setting('max_wal_size')"
        )
        postgres, shared_buffers, max_wal_size = cursor.fetchone()
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "postgres": postgres,
        "shared_buffers": shared_buffers,
        "max_wal_size": max_wal_size,
        "load_average_before": load_before,
        "load_average_after": os.getloadavg(),
    }


def _write(figures: list[Figure], machine: dict[str, Any], *, quick: bool) -> None:
    results = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        **machine,
        "figures": {figure.name: figure.as_json() for figure in figures},
    }
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _print(figures: list[Figure], *, seconds: float) -> None:
    line = "{:<16} {:>12} {:>12} {:<9} {:>6} {:>6}  {:<4} {:<14} {:>7}  {}"
    print(line.format("figure", "value", "limit", "unit", "ratio", "want", "met", "ratio, spread", "repeats", "others"))
    for figure in figures:
        sign = "≥" if figure.want_is == "at least" else "≤"
        low, high = figure.spread.get("ratio") or figure.spread["value"]
        print(
            line.format(
                figure.name,
                _number(figure.value),
                _number(figure.limit),
                figure.unit,
                "–" if figure.ratio is None else f"{figure.ratio:.2f}",
                f"{sign}{figure.want:g}",
                "yes" if figure.is_met else "no",
                f"{low:.2f}–{high:.2f}",
                figure.repeats,
                figure.quietness,
            )
        )
        for name, note in figure.notes.items():
            print(f"    {name}: {_number(note) if isinstance(note, int | float) else note}")
    print(f"{seconds:.0f} s in all; written to {RESULTS}")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
