"""The schema registry: Apicurio behind Confluent's API, schemas in a file database in the state folder."""

from __future__ import annotations

import httpx

from headrace.local.java import find_java
from headrace.local.loopback import loopback_client
from headrace.local.parts.lock import read_lock
from headrace.local.parts.unpack import fetch_unpacked
from headrace.local.ports import LOOPBACK
from headrace.local.processes.supervisor import Service
from headrace.local.services.jvm import LIGHT, RECORDING_STOP_SECONDS, archive_of
from headrace.local.site import Site

NAME = "apicurio"
MINIMUM_JAVA = 21
GLOBAL_COMPATIBILITY = "BACKWARD"  # the registry's own default is NONE


def registry_url(site: Site) -> str:
    """The base of Confluent's API."""
    return f"http://{site.address(NAME)}/apis/ccompat/v7"


async def apicurio(site: Site) -> Service:
    """The registry's service, its parts fetched."""
    home = await fetch_unpacked(
        site.fetcher, "the schema registry", read_lock()["apicurio"][0], site.cache / "unpacked"
    )
    java = find_java(MINIMUM_JAVA, "the schema registry", site.environ)
    database = site.folder("apicurio") / "registry"
    jar = home / "quarkus-run.jar"
    url = registry_url(site)
    flags = [*LIGHT, "-Xmx320m"]
    archive = archive_of(site.cache, NAME, java, [jar], LIGHT)
    options = {
        "quarkus.http.host": LOOPBACK,
        "quarkus.http.port": site.ports.port(NAME),
        # Without these the management interface listens on all interfaces.
        "quarkus.management.host": LOOPBACK,
        "quarkus.management.port": site.ports.port("apicurio-management"),
        "quarkus.http.access-log.enabled": "false",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        # The file lock of H2 outlives a killed process by a while; the state folder's own lock keeps others out.
        "apicurio.datasource.url": f"jdbc:h2:file:{database};FILE_LOCK=NO",
        "apicurio.datasource.jdbc.initial-size": 2,
        "apicurio.datasource.jdbc.min-size": 2,
        "apicurio.datasource.jdbc.max-size": 8,
    }

    def command() -> list[str]:
        given = [f"-D{name}={value}" for name, value in options.items()]
        return [str(java.binary), *flags, *archive.flags(), *given, "-jar", str(jar)]

    return Service(
        NAME,
        command,
        lambda: probe(url),
        site.log(NAME),
        folder=home,
        ready_seconds=120,
        stop_rank=8,
        stop_seconds=RECORDING_STOP_SECONDS if archive.recording else 15,
        stopped=archive.keep,
        advice="if the log tells of a damaged database, remove the state folder's apicurio/ (its schemas are lost)",
    )


async def probe(url: str) -> str | None:
    """None when the registry answers and holds new subjects to a compatibility."""
    try:
        async with loopback_client(5) as client:
            response = await client.put(f"{url}/config", json={"compatibility": GLOBAL_COMPATIBILITY})
    except httpx.HTTPError as error:
        raise OSError(f"{url}: {error or type(error).__name__}") from error
    return None if response.is_success else f"{url}/config answers {response.status_code}"
