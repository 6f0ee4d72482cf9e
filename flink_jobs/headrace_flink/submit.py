"""Hands job documents to Flink through PyFlink: the middle step of `run`, and what a resident client does.

One process plans any number of documents, because starting the planner costs seconds of CPU and each further job
only a fraction of one. PyFlink is imported where it is used: a wrong document is refused without waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace_flink.columns import OURS, RESULT, SINK, columns_of, misfits
from headrace_flink.document import JobDocument
from headrace_flink.failure import Failure, describe_failure


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where jobs run. Without `jobmanager` ("host:port" of the REST endpoint): wherever PyFlink's own environment says,
    which is the application's cluster under Kubernetes and a cluster inside this process elsewhere.
    `in_class_path`: the client's JVM has the jars' classes already.
    """

    jobmanager: str | None = None
    jars: tuple[Path, ...] = ()
    in_class_path: bool = False


# A cluster that does not answer within some seconds is not there; Flink's own patience is over a minute.
_CLIENT_PATIENCE = {"rest.retry.max-attempts": "5", "rest.retry.delay": "1 s"}


class SubmissionError(Exception):
    """Flink refused the job. `statement` is the SQL it was about, None when it was about the whole job."""

    def __init__(self, failure: Failure, statement: str | None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.statement = statement
        self.known: list[str] = []  # the columns that the SQL could have named

    def told(self) -> dict[str, Any]:
        """The error as it goes out: message, and line, column and statement where they are known."""
        line, column = self.failure.line, self.failure.column
        error = {"message": self.failure.message, "line": line, "column": column, "statement": self.statement}
        return {key: value for key, value in {**error, "known": self.known or None}.items() if value is not None}


def settings_of(document: JobDocument, cluster: Cluster, from_state: str | None) -> dict[str, str]:
    """Flink's configuration of one job: the document's, and what only the runner knows."""
    settings = {
        **document.config,
        "pipeline.name": document.name,
        "parallelism.default": str(document.parallelism),
    }
    if cluster.jars:
        settings["pipeline.jars"] = ";".join(jar.resolve().as_uri() for jar in cluster.jars)
    if cluster.in_class_path:
        # Else each job would load all of its connectors' classes anew, and a client that stays would grow.
        settings["classloader.resolve-order"] = "parent-first"
    if cluster.jobmanager is not None:
        host, _, port = cluster.jobmanager.rpartition(":")
        settings |= {
            "execution.target": "remote",
            "execution.attached": "false",
            "rest.address": host,
            "rest.port": port,
            **_CLIENT_PATIENCE,
        }
    if from_state is not None:
        settings["execution.state-recovery.path"] = from_state
    return settings


def submit(document: JobDocument, cluster: Cluster, from_state: str | None = None) -> str | None:
    """Start the job detached; its id, None where Flink gives none. Raises SubmissionError."""
    environment, statements = _planned(document, settings_of(document, cluster, from_state))
    with _worded(None):
        client = statements.execute().get_job_client()
    del environment
    return None if client is None else str(client.get_job_id())


def check(document: JobDocument, cluster: Cluster) -> str:
    """Only plan the job; Flink's plan as text. Raises SubmissionError for whatever the planner refuses."""
    _, statements = _planned(document, settings_of(document, cluster, None))
    with _worded(None):
        return str(statements.explain())


def inspect(document: JobDocument, cluster: Cluster) -> dict[str, Any]:
    """Plan the job; what its SELECT gives and what its output takes.

    `columns` of the result, `output` those of the sink, `missing` and `unfit` the names of the sink's columns that the
    result lacks, or has in a type that the sink does not take. The inserts are planned only when there are none of
    these: Flink would tell the first one, and not what would have fitted.
    Raises SubmissionError for whatever else the planner refuses.
    """
    environment = _environment(settings_of(document, cluster, None))
    _prepare(document.statements, environment)
    with _worded(None):
        result = environment.from_path(RESULT)
        sinks = [name for name in environment.list_temporary_tables() if name.startswith(SINK)]
        told: dict[str, Any] = {"columns": columns_of(result), "output": [], "missing": [], "unfit": []}
        for sink in map(environment.from_path, sinks):
            told["output"] += columns_of(sink)
            missing, unfit = misfits(result, sink)
            told["missing"] += missing
            told["unfit"] += unfit
    if not told["missing"] and not told["unfit"]:
        statements = _inserts(document, environment)
        with _worded(None):
            statements.explain()
    return told


def describe(statements: Sequence[str], config: Mapping[str, str]) -> list[dict[str, Any]]:
    """The columns of the view that the statements end with. Raises SubmissionError."""
    environment = _environment({**config, "classloader.resolve-order": "parent-first"})
    _prepare(statements, environment)
    with _worded(None):
        return columns_of(environment.from_path(RESULT))


def _planned(document: JobDocument, settings: dict[str, str]) -> tuple[Any, Any]:
    environment = _environment(settings)
    _prepare(document.statements, environment)
    return environment, _inserts(document, environment)


def _environment(settings: Mapping[str, str]) -> Any:
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    with _worded(None):
        configuration = Configuration()
        for key, value in settings.items():
            configuration.set_string(key, value)
        return TableEnvironment.create(
            EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
        )


def _prepare(statements: Sequence[str], environment: Any) -> None:
    try:
        _each(statements, environment.execute_sql)
    except SubmissionError as error:
        with suppress(SubmissionError), _worded(None):
            tables = [name for name in environment.list_temporary_views() if not name.startswith(OURS)]
            error.known = [column["name"] for name in tables for column in columns_of(environment.from_path(name))]
        raise


def _inserts(document: JobDocument, environment: Any) -> Any:
    statements = environment.create_statement_set()
    # Parsed and validated here, one by one, so that an error belongs to a statement.
    _each(document.inserts, statements.add_insert_sql)
    return statements


def _each(statements: Sequence[str], run: Callable[[str], object]) -> None:
    for statement in statements:
        with _worded(statement):
            run(statement)


@contextmanager
def _worded(statement: str | None) -> Iterator[None]:
    """Turn PyFlink's Java exceptions into a SubmissionError."""
    from py4j.protocol import Py4JError  # type: ignore[import-not-found,unused-ignore]  # comes with PyFlink
    from pyflink.util.exceptions import JavaException

    try:
        yield
    except (JavaException, Py4JError) as e:
        raise SubmissionError(describe_failure(str(e)), statement) from e
