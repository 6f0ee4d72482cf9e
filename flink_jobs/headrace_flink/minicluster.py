"""A Flink cluster inside the client's own JVM, for jobs that read their topics to the end (`headrace test`).

One JVM plans, runs and forgets: no class is loaded twice, and no second process has to be started and warmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MiniCluster:
    """`rest` is "host:port"."""

    rest: str
    cluster: Any

    @classmethod
    def start(cls, config: Mapping[str, str], slots: int) -> MiniCluster:
        from pyflink.java_gateway import get_gateway

        jvm = get_gateway().jvm
        settings = jvm.org.apache.flink.configuration.Configuration()
        for key, value in config.items():
            settings.setString(key, value)
        package = jvm.org.apache.flink.runtime.minicluster
        builder = getattr(package, "MiniClusterConfiguration$Builder")()
        builder = builder.setConfiguration(settings).setNumTaskManagers(1).setNumSlotsPerTaskManager(slots)
        cluster = package.MiniCluster(builder.build())
        cluster.start()
        address = cluster.getRestAddress().get()
        return cls(f"{address.getHost()}:{address.getPort()}", cluster)

    def close(self) -> None:
        self.cluster.close()
