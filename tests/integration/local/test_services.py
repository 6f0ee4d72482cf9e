"""The real parts start, answer, listen on loopback only, and come back when they are killed."""

from __future__ import annotations

import httpx
import psutil
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace.local.background import Background

pytestmark = pytest.mark.integration


def test_a_topic_is_made_on_the_broker(kafka: str, topic_prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    name = topic_prefix + "clicks"
    admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(timeout=20)
    assert len(admin.list_topics(name, timeout=10).topics[name].partitions) == 3


def test_the_registry_holds_new_subjects_to_backward_compatibility(registry: str) -> None:
    assert httpx.get(f"{registry}/config", trust_env=False).json() == {"compatibilityLevel": "BACKWARD"}


def test_the_flink_cluster_offers_slots(flink_cluster: object) -> None:
    rest = flink_cluster.rest  # type: ignore[attr-defined] # the conftest's class cannot be imported
    assert httpx.get(f"{rest}/overview", trust_env=False).json()["slots-available"] >= 12


def test_the_stand_in_answers_on_its_port(stand_in: object) -> None:
    address = f"http://{stand_in.host}:{stand_in.port}"  # type: ignore[attr-defined]
    assert httpx.get(f"{address}/nothing-here", trust_env=False).status_code == 404


def test_nothing_listens_beyond_loopback(
    services: Background, kafka: str, registry: str, flink_cluster: object, stand_in: object
) -> None:
    for name, running in services.supervisor.running.items():
        assert running.pid is not None
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(running.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, name
