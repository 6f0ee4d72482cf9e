"""`python -m headrace_apps.demo`: the clickstream pipeline on real parts, with traffic, live figures and a check."""

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

WIDTH = 120
SAMPLE = Path("manifests/samples/clickstream/pipeline.yaml")


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
    add("--pipeline", type=Path, default=SAMPLE, help="the sample's manifest (default: %(default)s)")
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
    if not options.pipeline.is_file():
        console.print(f"{options.pipeline} is not here: run this in the repository, or name it with --pipeline")
        return 2
    state: Path = options.state or Path(".headrace") / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if state.exists() and any(state.iterdir()):
        console.print(f"{state} is not empty: the demo starts from nothing, name a new folder")
        return 2
    demo = Demo(
        order=replace(order_of(options), duration=None),
        duration=options.duration,
        kills=options.kill,
        pipeline=options.pipeline,
        state=state.absolute(),
        console=console,
    )
    code = asyncio.run(run_demo(demo))
    if code == 0 and options.state is None:
        shutil.rmtree(state, ignore_errors=True)
    else:
        console.print(f"Ledger, logs and data of this run: {state}", highlight=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
