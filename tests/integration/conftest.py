"""The session's shared services: one broker, one registry, one Flink cluster, one stand-in, started when first used.

Every test takes topic names below its own `topic_prefix`, so that tests never meet in a topic.
All processes are tethered to this one: they end with it, even when it is killed.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.local import environments
from headrace.local.announce import line_announcer
from headrace.local.background import Background
from headrace.local.ports import LOOPBACK
from headrace.local.services import apicurio as apicurio_service
from headrace.local.services import flink as flink_service
from headrace.local.services import kafka as kafka_service
from headrace.local.services import stand_in as stand_in_service
from headrace.local.site import Site, open_site


@dataclass(frozen=True)
class Cluster:
    """The Flink cluster: its REST address, and the Python and environment with which jobs are submitted."""

    rest: str
    python: Path
    environ: dict[str, str]
    services: flink_service.FlinkCluster


@dataclass(frozen=True)
class StandIn:
    """Snowflake's stand-in: connect with account, user and password of any value, protocol `http`."""

    host: str
    port: int


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return open_site(tmp_path_factory.mktemp("headrace"), line_announcer(sys.stderr))


@pytest.fixture(scope="session")
def services(site: Site) -> Iterator[Background]:
    with Background(site) as background:
        yield background


@pytest.fixture(scope="session")
def kafka(services: Background) -> str:
    """The bootstrap address of a real broker."""
    site = services.site
    services.start(services.call(kafka_service.kafka(site, services.spawner)))
    return site.address("kafka")


@pytest.fixture(scope="session")
def registry(services: Background) -> str:
    """The base URL of a real registry's Confluent API."""
    services.start(services.call(apicurio_service.apicurio(services.site)))
    return apicurio_service.registry_url(services.site)


@pytest.fixture(scope="session")
def flink_python(services: Background) -> Path:
    """The Python of the Flink environment."""
    made = environments.make_environment(services.site, services.spawner, environments.flink_environment())
    return services.call(made)


@pytest.fixture(scope="session")
def flink_cluster(services: Background, flink_python: Path) -> Cluster:
    home = environments.pyflink_home(flink_python)
    cluster = flink_service.flink_cluster(services.site, home)
    services.start(cluster.job_manager, cluster.task_manager)
    return Cluster(cluster.rest, flink_python, cluster.environ, cluster)


@pytest.fixture(scope="session")
def stand_in(services: Background) -> StandIn:
    site = services.site
    made = environments.make_environment(site, services.spawner, environments.stand_in_environment())
    services.start(stand_in_service.stand_in(site, services.call(made)))
    return StandIn(LOOPBACK, site.ports.port(stand_in_service.NAME))


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups and subjects that no other test uses, ending in a dot."""
    return f"t{uuid.uuid4().hex[:10]}."
