"""Hands job documents to Flink through PyFlink: the middle step of `run`.

One process plans any number of documents, because starting the planner costs seconds of CPU and each further job
only a fraction of one. PyFlink is imported where it is used: a wrong document is refused without waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace_flink.document import JobDocument
from headrace_flink.failure import Failure, describe_failure


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where jobs run. Without `jobmanager` ("host:port" of the REST endpoint): wherever PyFlink's own environment says,
    which is the application's cluster under Kubernetes and a cluster inside this process elsewhere.
    """

    jobmanager: str | None = None
    jars: tuple[Path, ...] = ()


# A cluster that does not answer within some seconds is not there; Flink's own patience is over a minute.
_CLIENT_PATIENCE = {"rest.retry.max-attempts": "5", "rest.retry.delay": "1 s"}


class SubmissionError(Exception):
    """Flink refused the job. `statement` is the SQL it was about, None when it was about the whole job."""

    def __init__(self, failure: Failure, statement: str | None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.statement = statement


def settings_of(document: JobDocument, cluster: Cluster, from_state: str | None) -> dict[str, str]:
    """Flink's configuration of one job: the document's, and what only the runner knows."""
    settings = {
        **document.config,
        "pipeline.name": document.name,
        "parallelism.default": str(document.parallelism),
    }
    if cluster.jars:
        settings["pipeline.jars"] = ";".join(jar.resolve().as_uri() for jar in cluster.jars)
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


def _planned(document: JobDocument, settings: dict[str, str]) -> tuple[Any, Any]:
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(key, value)
    with _worded(None):
        environment = TableEnvironment.create(
            EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
        )
    _each(document.statements, environment.execute_sql)
    statements = environment.create_statement_set()
    # Parsed and validated here, one by one, so that an error belongs to a statement.
    _each(document.inserts, statements.add_insert_sql)
    return environment, statements


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
