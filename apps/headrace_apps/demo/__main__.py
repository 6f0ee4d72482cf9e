"""`python -m headrace_apps.demo`: the sample pipelines on real parts, traffic, live figures and a check."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.generate import add_order_arguments, order_of
from headrace_apps.demo.kills import PARTS, parse_kill
from headrace_apps.demo.run import Demo, run_demo
from headrace_apps.demo.sample import SAMPLES_FOLDER, manifest_path
from headrace_apps.demo.samples import SAMPLES

WIDTH = 120


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m headrace_apps.demo", description=__doc__)
    add_order_arguments(parser)
    add = parser.add_argument
    add(
        "--kill",
        type=parse_kill,
        action="append",
        default=[],
        metavar="PART@SECONDS",
        help=f"SIGKILL a part that long after the first aggregate; PART is {', '.join(PARTS)}; may be repeated",
    )
    add(
        "--sample",
        choices=SAMPLES,
        action="append",
        help="run this one; may be repeated (default: all)",
    )
    add(
        "--state",
        type=Path,
        help="a new folder for this run; kept (default: one below .headrace, removed if all is well)",
    )
    return parser.parse_args(arguments)


def main() -> int:
    options = parse_arguments()
    # A pipe has no width; the check's table needs some.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    if not SAMPLES_FOLDER.is_dir():
        console.print(f"{SAMPLES_FOLDER} is not here: run this in the repository")
        return 2
    chosen = [sample for sample in SAMPLES.values() if not options.sample or sample.name in options.sample]
    state: Path = options.state or Path(".headrace") / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if state.exists() and any(state.iterdir()):
        console.print(f"{state} is not empty: the demo starts from nothing, name a new folder")
        return 2
    demo = Demo(
        order=replace(order_of(options), duration=None),
        duration=options.duration,
        kills=options.kill,
        pipelines={sample.name: (sample, manifest_path(sample.name)) for sample in chosen},
        state=state.absolute(),
        console=console,
    )
    code = asyncio.run(run_demo(demo))
    if code == 0 and options.state is None:
        shutil.rmtree(state, ignore_errors=True)
    else:
        console.print(f"Ledgers, logs and data of this run: {state}", highlight=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
