"""The built-in platform of one machine: where a pipeline runs when `headrace up` starts everything itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headrace.core.documents import Auth, SnowflakeConnection
from headrace.core.platform import FlinkDefaults, Platform
from headrace.local import keys
from headrace.local.errors import PartError
from headrace.local.ports import LOOPBACK
from headrace.local.services import apicurio, kafka, stand_in
from headrace.local.site import Site

NAME = "default"
DATABASE = "HEADRACE"
REAL_ACCOUNT = "SNOWFLAKE_ACCOUNT"


def local_platform(site: Site, real_snowflake: bool = False) -> Platform:
    """The platform at a site's addresses. `real_snowflake`: sinks load into the account that SNOWFLAKE_… names."""
    flink = site.state / "flink"
    return Platform(
        name=NAME,
        kafka=(("bootstrap.servers", site.address(kafka.NAME)),),
        registry_url=apicurio.registry_url(site),
        flink=FlinkDefaults(
            checkpoint_dir=(flink / "checkpoints").as_uri(),
            savepoint_dir=(flink / "savepoints").as_uri(),
            transaction_timeout_ms=kafka.MAX_TRANSACTION_MS,
        ),
        auth=Auth(issuer=keys.ISSUER, audience=keys.AUDIENCE, jwks_file=str(keys.jwks_file(site.state))),
        snowflake=_account(site.environ) if real_snowflake else _stand_in(site),
        database=site.environ.get("SNOWFLAKE_DATABASE", DATABASE) if real_snowflake else DATABASE,
    )


def _stand_in(site: Site) -> SnowflakeConnection:
    """The stand-in checks no secret."""
    return SnowflakeConnection(
        account="headrace",
        user="headrace",
        host=LOOPBACK,
        port=site.ports.port(stand_in.NAME),
        protocol="http",
    )


def _account(environ: Mapping[str, str]) -> SnowflakeConnection:
    missing = [name for name in (REAL_ACCOUNT, "SNOWFLAKE_USER") if not environ.get(name)]
    key, password = (environ.get(f"SNOWFLAKE_{name}_FILE") for name in ("PRIVATE_KEY", "PASSWORD"))
    if missing or not (key or password):
        raise PartError(
            f"a real Snowflake account needs {REAL_ACCOUNT}, SNOWFLAKE_USER and SNOWFLAKE_PRIVATE_KEY_FILE or "
            "SNOWFLAKE_PASSWORD_FILE in the environment",
            "set them, or leave the option out to load into the stand-in",
        )
    return SnowflakeConnection(
        account=environ[REAL_ACCOUNT],
        user=environ["SNOWFLAKE_USER"],
        warehouse=environ.get("SNOWFLAKE_WAREHOUSE"),
        role=environ.get("SNOWFLAKE_ROLE"),
        password_file=str(Path(password).absolute()) if password else None,
        private_key_file=str(Path(key).absolute()) if key else None,
    )
