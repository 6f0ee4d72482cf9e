"""Write parts.lock.json anew: `python -m headrace.local.parts.relock` (for developers; users never run it).

Resolves the jars that each set needs with jgo's Maven resolver, downloads each once and records SHA-256 and size.
What users fetch is decided here and reviewed as a diff of the lock, never at run time.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from headrace.local.parts.lock import LOCK_FILE

LOG4J = "2.25.3"
# Kafka pins slf4j-api 1.7, so its log4j binding is log4j-slf4j-impl and not the slf4j2 one.
TRANSITIVE = {
    "kafka": [
        "org.apache.kafka:kafka_2.13:4.4.0",
        f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}",
        f"org.apache.logging.log4j:log4j-core:{LOG4J}",
        f"org.apache.logging.log4j:log4j-api:{LOG4J}",
    ],
}
SINGLE = {
    "apicurio": ["io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"],
    "flink-connectors": [
        "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2:jar",
        # Avro needs Jackson for schemas only; its other dependency, commons-compress, only for container files.
        "com.fasterxml.jackson.core:jackson-annotations:2.21:jar",
        "com.fasterxml.jackson.core:jackson-core:2.21.7:jar",
        "com.fasterxml.jackson.core:jackson-databind:2.21.7:jar",
        "com.google.protobuf:protobuf-java:4.36.1:jar",
        "org.apache.avro:avro:1.12.2:jar",
    ],
    "ecj": ["org.eclipse.jdt:ecj:3.42.0:jar"],
}


def resolve_transitive(context: Any, coordinates: list[str]) -> list[Any]:
    """Artifacts of the coordinates and of everything that they need at run time, sorted by name."""
    dependencies = [context.create_dependency(text) for text in coordinates]
    for dependency in dependencies:
        # Raw: as Maven itself does, take no version management from the coordinates. log4j-core's would pin an
        # older kafka-clients (from its own tests) beside this broker.
        dependency.raw = True
    inputs, transitive = context.resolver.resolve(dependencies)
    artifacts = {
        (d.groupId, d.artifactId, d.classifier): d.artifact
        for d in [*inputs, *transitive]
        if d.scope in (None, "compile", "runtime") and d.type == "jar"
    }
    return [artifacts[key] for key in sorted(artifacts)]


def lock_entry(artifact: Any) -> dict[str, str | int]:
    """One part of the lock: `group:artifact:version:extension[:classifier]`, SHA-256 and bytes."""
    content = artifact.resolve().read_bytes()
    names = [artifact.groupId, artifact.artifactId, artifact.version, artifact.packaging, artifact.classifier]
    return {
        "coordinates": ":".join(name for name in names if name),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def main() -> None:
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=120)
        sets: dict[str, list[dict[str, str | int]]] = {}
        for name, coordinates in TRANSITIVE.items():
            sets[name] = [lock_entry(artifact) for artifact in resolve_transitive(context, coordinates)]
        for name, coordinates in SINGLE.items():
            sets[name] = []
            for text in coordinates:
                group, artifact, version, extension, *classifier = text.split(":")
                component = context.project(group, artifact).at_version(version)
                sets[name].append(lock_entry(component.artifact(classifier[0] if classifier else "", extension)))
        LOCK_FILE.write_text(json.dumps({"version": 1, "sets": sets}, indent=2) + "\n")
    for name, entries in sets.items():
        print(f"{name}: {len(entries)} files, {sum(int(e['size']) for e in entries):,} bytes")


if __name__ == "__main__":
    main()
