"""Where the check looks, from its command line."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOGIN_SECONDS = 20

# The connector announces defaults of future versions on every login.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"snowflake\.connector")


@dataclass(frozen=True, slots=True)
class Places:
    """`snowflake` are arguments of `snowflake.connector.connect`; the sinks' tables are in `database`."""

    bootstrap: str
    registry: str | None
    gateway: str
    token: str
    snowflake: Mapping[str, Any]
    database: str


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--bootstrap", required=True, help="Kafka's address, host:port")
    add("--registry", help="the schema registry's Confluent API; not needed where all topics are JSON")
    add("--gateway", required=True, help="the API's address, http://host:port")
    add("--token-file", type=Path, required=True, help="a token that may read the views")
    add("--snowflake-account", required=True)
    add("--snowflake-user", required=True)
    add("--snowflake-password-file", type=Path)
    add("--snowflake-private-key-file", type=Path)
    add("--snowflake-host", help="of the stand-in; a real account needs none")
    add("--snowflake-port", type=int)
    add("--snowflake-protocol", choices=["http", "https"], default="https")
    add("--snowflake-database", required=True)
    add("--snowflake-warehouse")
    add("--snowflake-role")


def places_of(options: argparse.Namespace) -> Places:
    """Raises OSError for a file that cannot be read."""
    given = {
        name: getattr(options, f"snowflake_{name}")
        for name in ("account", "user", "host", "port", "protocol", "database", "warehouse", "role")
    }
    secret: dict[str, Any]
    if options.snowflake_private_key_file:
        secret = {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(options.snowflake_private_key_file)}
    elif options.snowflake_password_file:
        secret = {"password": _content(options.snowflake_password_file)}
    else:
        secret = {"password": "none"}  # the stand-in asks for one and looks at none
    bounds = {
        "login_timeout": LOGIN_SECONDS,
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": {"TIMEZONE": "UTC", "CLIENT_TELEMETRY_ENABLED": False},
    }
    return Places(
        bootstrap=options.bootstrap,
        registry=options.registry,
        gateway=options.gateway,
        token=_content(options.token_file),
        snowflake={name: value for name, value in given.items() if value is not None} | secret | bounds,
        database=options.snowflake_database,
    )


def parse_places(arguments: Sequence[str]) -> Places:
    """The same from a list of arguments, for who looks at the same places while the run goes on."""
    parser = argparse.ArgumentParser()
    add_place_arguments(parser)
    return places_of(parser.parse_args(arguments))


def _content(file: Path) -> str:
    return file.read_text().strip()
