"""`python -m headrace_apps.demo.generate`: traffic for a sample pipeline that is up, and a ledger of it.

Runs until the duration is over or Ctrl-C. Exit code 0: the run was closed properly and can be checked.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.api import Api, Unexpected
from headrace_apps.demo.figures import Figures
from headrace_apps.demo.ledger import LedgerWriter
from headrace_apps.demo.sample import manifest_path, read_manifest
from headrace_apps.demo.samples import SAMPLES
from headrace_apps.demo.sender import Aborted, Tally
from headrace_apps.demo.traffic import Order, Signals, TrafficError, make_traffic
from headrace_apps.demo.watchers import Topics, Watcher

REPORT_EVERY = 5.0


def add_order_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the demo and this command share."""
    add = parser.add_argument
    add("--duration", type=float, help="seconds of traffic (default: until Ctrl-C)")
    add(
        "--rate",
        type=float,
        default=500,
        help="clicks a second on average; readings 0.4, payments 0.2 times that (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="the same seed sends the same events (default: %(default)s)")
    add("--steady", action="store_true", help="the same rate all the time, for measuring")


def order_of(options: argparse.Namespace) -> Order:
    return Order(rate=options.rate, seed=options.seed, duration=options.duration, steady=options.steady)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m headrace_apps.demo.generate", description=__doc__)
    parser.add_argument("--sample", choices=SAMPLES, default="clickstream", help="(default: %(default)s)")
    parser.add_argument("--pipeline", type=Path, help="its manifest (default: the one in manifests/samples)")
    parser.add_argument("--gateway", required=True, help="the API's address, http://host:port")
    parser.add_argument("--token-file", type=Path, required=True, help="a token that may write and read")
    parser.add_argument("--bootstrap", required=True, help="Kafka's address, for what goes past the gateway")
    parser.add_argument("--registry", help="the schema registry's Confluent API; not needed where all topics are JSON")
    parser.add_argument("--ledger", type=Path, required=True, help="the file to append to")
    add_order_arguments(parser)
    options = parser.parse_args()
    console = Console()
    token = options.token_file.read_text().strip()
    signals, tally, figures, ended = Signals(), Tally(), Figures(), threading.Event()
    signal.signal(signal.SIGINT, lambda *_: (signals.abort if signals.finish.is_set() else signals.finish).set())
    sample = SAMPLES[options.sample]
    manifest = read_manifest(options.pipeline or manifest_path(sample.name))
    Watcher(Topics(sample, manifest, options.bootstrap, signals.all_signs), figures, ended).start()
    reporter = threading.Thread(target=_report, args=(console, tally, ended), daemon=True)
    reporter.start()
    try:
        with Api(options.gateway, token) as api, LedgerWriter(options.ledger) as ledger:
            where = {"bootstrap": options.bootstrap, "registry": options.registry}
            make_traffic(sample, manifest, order_of(options), signals, tally, api=api, ledger=ledger, **where).run()
    except (Aborted, TrafficError, Unexpected, FileNotFoundError) as error:
        console.print(f"The traffic ended early: {error or 'given up'}", style="red", markup=False)
        return 3
    finally:
        ended.set()
    console.print(f"sent: {tally.accepted_events:,} accepted, {tally.refused:,} refused as they should be")
    return 0


def _report(console: Console, tally: Tally, ended: threading.Event) -> None:
    while not ended.wait(REPORT_EVERY):
        waiting = f"; waiting: {tally.away}" if tally.away else ""
        line = f"accepted {tally.accepted_events:,}, refused {tally.refused:,}, malformed {tally.malformed:,}{waiting}"
        console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
