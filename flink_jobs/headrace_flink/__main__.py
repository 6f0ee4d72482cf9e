"""The command line of the job runner.

    python -m headrace_flink run DOC.json… --jobmanager HOST:PORT --jar JAR… [--from-state PATH] [--check]
    python -m headrace_flink serve --jar JAR… --planner DIR

`run`: one JSON line per document on standard output: {"name", "jobId"} or {"name", "error": {…}}; exit code 1 when one
failed. `serve`: stays, and answers requests (resident.py); DIR keeps the unpacked planner.
Without --jobmanager (or with --local-cluster) the environment's own executor runs the job, which is how the same module
is the entry of an application cluster on Kubernetes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headrace_flink.client import own_standard_output, prepare_client
from headrace_flink.document import DocumentError, read_document
from headrace_flink.submit import Cluster, SubmissionError, check, submit


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.do == "serve":
        return serve(tuple(given.jar), given.planner)
    cluster = Cluster(given.jobmanager, tuple(given.jar))
    if len(given.documents) > 1 and given.from_state is not None:
        print("headrace-flink: --from-state is one job's state: give one document", file=sys.stderr)
        return 2
    prepare_client(os.environ)
    output = own_standard_output()
    failed = False
    for path in given.documents:
        outcome = run_document(path, cluster, from_state=given.from_state, only_check=given.check)
        failed = failed or "error" in outcome
        # Flushed line by line: the caller shows each job as soon as it runs.
        print(json.dumps(outcome, ensure_ascii=False), file=output, flush=True)
    return 1 if failed else 0


def run_document(path: Path, cluster: Cluster, *, from_state: str | None, only_check: bool) -> dict[str, Any]:
    """The outcome line of one document."""
    try:
        document = read_document(path)
    except DocumentError as e:
        return {"name": path.stem, "error": {"message": str(e)}}
    try:
        if only_check:
            return {"name": document.name, "plan": check(document, cluster)}
        return {"name": document.name, "jobId": submit(document, cluster, from_state)}
    except SubmissionError as e:
        return {"name": document.name, "error": e.told()}


def serve(jars: tuple[Path, ...], planner: Path) -> int:
    """Stays until standard input ends, and ends the process. 1 when the JVM did not start."""
    from headrace_flink.gateway import GatewayError, start_gateway, unpack_planner
    from headrace_flink.resident import Resident, connect

    prepare_client(os.environ)
    output = own_standard_output()
    home = Path(next(iter(pyflink_paths())))
    try:
        gateway = start_gateway(home, unpack_planner(home, planner), jars, os.environ)
    except (GatewayError, OSError) as e:
        print(f"headrace-flink: {e}", file=sys.stderr)
        return 1
    try:
        connect(gateway)
        Resident(gateway, jars).serve(sys.stdin, output)
    finally:
        gateway.stop()
    output.flush()
    os._exit(0)  # PyFlink's objects would each try to tell a JVM that is gone that they are garbage


def pyflink_paths() -> Sequence[str]:
    """Where the pyflink package is, found without importing it."""
    found = find_spec("pyflink")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("apache-flink is not installed here")
    return found.submodule_search_locations


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headrace_flink", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="do")
    stays = commands.add_parser("serve", help="stay, and answer requests on standard input")
    stays.add_argument("--jar", type=Path, action="append", default=[], help="of the jobs; repeatable")
    stays.add_argument("--planner", type=Path, required=True, metavar="DIR", help="keeps the unpacked planner")
    run = commands.add_parser("run", help="run job documents on a Flink cluster")
    run.add_argument("documents", nargs="+", type=Path, metavar="DOC.json")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--jobmanager", metavar="HOST:PORT", help="the REST endpoint of a session cluster")
    where.add_argument("--local-cluster", action="store_true", help="the environment's own executor (the default)")
    run.add_argument("--jar", type=Path, action="append", default=[], help="goes along with each job; repeatable")
    run.add_argument("--from-state", metavar="PATH", help="a checkpoint or savepoint to resume from")
    run.add_argument("--check", action="store_true", help="only plan the jobs; nothing is submitted")
    return parser


if __name__ == "__main__":
    sys.exit(main())
