"""Compare a ledger with what the pipeline left. Exit code 0: it agrees; 1: it differs; 3: a place cannot be read."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.check.compare import compare
from headrace_apps.demo.check.fetch import FetchError, fetch_observed
from headrace_apps.demo.check.places import Places, add_place_arguments, places_of
from headrace_apps.demo.check.report import print_results
from headrace_apps.demo.check.result import Result
from headrace_apps.demo.ledger import Entry, LedgerError, read_ledger
from headrace_apps.demo.sample import Manifest, Sample, manifest_path, read_manifest
from headrace_apps.demo.samples import SAMPLES

AGAIN_SECONDS = 3.0
WIDTH = 120
"""Of the table, where the output is no terminal."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m headrace_apps.demo.check", description=__doc__)
    parser.add_argument("--sample", choices=SAMPLES, default="clickstream", help="(default: %(default)s)")
    parser.add_argument("--pipeline", type=Path, help="its manifest (default: the one in manifests/samples)")
    parser.add_argument("--ledger", type=Path, required=True, help="what was sent, as the traffic wrote it")
    parser.add_argument("--wait", type=float, default=0, help="look again for so many seconds while something differs")
    add_place_arguments(parser)
    options = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    sample = SAMPLES[options.sample]
    try:
        manifest = read_manifest(options.pipeline or manifest_path(sample.name))
        ledger = read_ledger(options.ledger)
        console.print(f"ledger: {len(ledger):,} records sent to {sample.name}", highlight=False)
        look = partial(look_at, sample, manifest, ledger, places_of(options), console)
        results = compare_until(look, time.monotonic() + options.wait, console)
    except (OSError, LedgerError, FetchError) as error:
        console.print(f"The check could not be made: {error}", style="red", markup=False)
        return 3
    print_results(sample.name, results, console)
    return 0 if all(result.passed for result in results) else 1


def look_at(
    sample: Sample, manifest: Manifest, ledger: Sequence[Entry], places: Places, console: Console
) -> list[Result]:
    """One comparison with what is there now. Raises FetchError."""
    observed = fetch_observed(manifest, places, lambda line: console.print(line, highlight=False))
    return compare(sample, manifest, ledger, observed)


def compare_until(look: Callable[[], list[Result]], deadline: float, console: Console) -> list[Result]:
    """The comparison, made again while it differs and the deadline (monotonic seconds) is not over."""
    while True:
        results = look()
        if all(result.passed for result in results) or time.monotonic() >= deadline:
            return results
        console.print("not all is there yet, or something differs: looking again", highlight=False)
        threading.Event().wait(AGAIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
