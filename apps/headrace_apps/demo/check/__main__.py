"""Compare a ledger with what the pipeline left. Exit code 0: it agrees; 1: it differs; 3: a place cannot be read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.check.compare import compare
from headrace_apps.demo.check.fetch import FetchError, fetch_observed
from headrace_apps.demo.check.places import add_place_arguments, places_of
from headrace_apps.demo.check.report import print_results
from headrace_apps.demo.ledger import LedgerError, read_ledger

WIDTH = 120
"""Of the table, where the output is no terminal."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m headrace_apps.demo.check", description=__doc__)
    parser.add_argument("--ledger", type=Path, required=True, help="what was sent, as the traffic wrote it")
    add_place_arguments(parser)
    options = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    try:
        ledger = read_ledger(options.ledger)
        console.print(f"ledger: {len(ledger):,} events sent", highlight=False)
        observed = fetch_observed(places_of(options), lambda line: console.print(line, highlight=False))
    except (OSError, LedgerError, FetchError) as error:
        console.print(f"The check could not be made: {error}", style="red", markup=False)
        return 3
    results = compare(ledger, observed)
    print_results(results, console)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
