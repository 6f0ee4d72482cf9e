"""A warehouse (a real account when the environment names one, else the stand-in), and loaders as processes.

The same tests run on either: `make test-snowflake` sets SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_PASSWORD or
SNOWFLAKE_PRIVATE_KEY_FILE, SNOWFLAKE_DATABASE, SNOWFLAKE_WAREHOUSE and SNOWFLAKE_ROLE. Every session has a schema of
its own, dropped afterwards.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[3]))

from tests.integration.loader.loader_harness import LoaderRun, StandInServer, Topic, Warehouse, create_topic

from headrace.core.documents import SnowflakeConnection
from headrace.local import environments
from headrace.local.background import Background


@pytest.fixture(scope="session")
def stand_in_python(services: Background) -> Path:
    """The Python of the stand-in's environment."""
    wanted = environments.stand_in_environment()
    return services.call(environments.make_environment(services.site, services.spawner, wanted))


@pytest.fixture(scope="session")
def session_stand_in(stand_in_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInServer]:
    server = StandInServer(stand_in_python, tmp_path_factory.mktemp("stand-in"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    schema = f"HEADRACE_TEST_{uuid.uuid4().hex[:10].upper()}"
    if os.environ.get("SNOWFLAKE_ACCOUNT"):
        settings = real_account(tmp_path_factory.mktemp("secret"))
        warehouse = Warehouse(settings, os.environ["SNOWFLAKE_DATABASE"], schema, real=True)
    else:
        stand_in: StandInServer = request.getfixturevalue("session_stand_in")
        warehouse = Warehouse(stand_in.settings, "HEADRACE", schema, real=False)
    yield warehouse
    warehouse.drop()


def real_account(folder: Path) -> SnowflakeConnection:
    environ = os.environ
    password_file = None
    if password := environ.get("SNOWFLAKE_PASSWORD"):
        password_file = folder / "password"
        password_file.touch(0o600)
        password_file.write_text(password)
    return SnowflakeConnection(
        account=environ["SNOWFLAKE_ACCOUNT"],
        user=environ["SNOWFLAKE_USER"],
        warehouse=environ.get("SNOWFLAKE_WAREHOUSE"),
        role=environ.get("SNOWFLAKE_ROLE"),
        password_file=str(password_file) if password_file else None,
        private_key_file=environ.get("SNOWFLAKE_PRIVATE_KEY_FILE"),
    )


@pytest.fixture
def topic(kafka: str, topic_prefix: str) -> Topic:
    """A new plain topic with three partitions, and its pipeline's dead-letter topic."""
    return create_topic(kafka, topic_prefix, compacted=False)


@pytest.fixture
def compacted(kafka: str, topic_prefix: str) -> Topic:
    return create_topic(kafka, topic_prefix, compacted=True)


@pytest.fixture
def start_loader(tmp_path: Path) -> Iterator[Callable[..., LoaderRun]]:
    """`start_loader(document)` runs a loader as its own process; what still runs at the end is killed."""
    runs: list[LoaderRun] = []

    def start(document: object) -> LoaderRun:
        run = LoaderRun(document, tmp_path / f"loader-{len(runs)}")
        runs.append(run)
        run.start()
        return run

    yield start
    for run in runs:
        run.kill()
