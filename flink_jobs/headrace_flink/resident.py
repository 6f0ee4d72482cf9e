"""A client that stays: requests come as JSON lines on standard input, each is answered by one line on standard output.

    {"id": 1, "do": "check" | "describe" | "submit" | "cluster", …}    →    {"id": 1, …} or {"id": 1, "error": {…}}

The first line out is `{"ready": true}`, when Flink's classes can be used. It ends when its input ends, that is, with
whoever started it. Starting the planner costs seconds of CPU, each further job a fraction of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from headrace_flink.document import DocumentError, JobDocument, parse_document
from headrace_flink.gateway import Gateway
from headrace_flink.minicluster import MiniCluster
from headrace_flink.submit import Cluster, SubmissionError, describe, inspect, submit

Request = Mapping[str, Any]


class Resident:
    """Answers requests, one after the other: one planner, one core."""

    def __init__(self, gateway: Gateway, jars: tuple[Path, ...]) -> None:
        self._gateway, self._jars = gateway, jars
        self._cluster: MiniCluster | None = None

    def serve(self, requests: Iterable[str], output: TextIO) -> None:
        def say(line: dict[str, Any]) -> None:
            print(json.dumps(line, ensure_ascii=False), file=output, flush=True)

        say({"ready": True})
        for line in requests:
            request = json.loads(line)
            say({"id": request["id"], **self.answer(request)})
        if self._cluster is not None:
            self._cluster.close()

    def answer(self, request: Request) -> dict[str, Any]:
        does: dict[str, Callable[[Request], dict[str, Any]]] = {
            "check": self._check,
            "describe": self._describe,
            "submit": self._submit,
            "cluster": self._start_cluster,
        }
        try:
            return does[request["do"]](request)
        except KeyError as error:
            return {"error": {"message": f"this version does not know {error}"}}
        except DocumentError as error:
            return {"error": {"message": str(error)}}
        except SubmissionError as error:
            return {"error": error.told()}

    def _check(self, request: Request) -> dict[str, Any]:
        return inspect(_document(request), Cluster(in_class_path=True))

    def _describe(self, request: Request) -> dict[str, Any]:
        """`statements` end with a view `__result`; nothing is planned beyond it."""
        return {"columns": describe(request["statements"], request.get("config", {}))}

    def _submit(self, request: Request) -> dict[str, Any]:
        """`jobmanager` "host:port", `fromState` a URI or null; `shipJars` false where the cluster has the classes."""
        jars = self._jars if request.get("shipJars", True) else ()
        cluster = Cluster(request["jobmanager"], jars, in_class_path=True)
        return {"jobId": submit(_document(request), cluster, request.get("fromState"))}

    def _start_cluster(self, request: Request) -> dict[str, Any]:
        """A cluster in this very JVM, for jobs that end: its REST address. `config`: Flink's keys and values."""
        if self._cluster is None:
            self._cluster = MiniCluster.start(request["config"], int(request["slots"]))
        return {"rest": self._cluster.rest}


def connect(gateway: Gateway) -> None:
    """Lets PyFlink use this JVM."""
    os.environ["PYFLINK_GATEWAY_PORT"] = str(gateway.port)
    from pyflink.java_gateway import get_gateway

    get_gateway()


def _document(request: Request) -> JobDocument:
    return parse_document(json.dumps(request["document"]))
