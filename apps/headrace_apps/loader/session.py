"""A Snowflake session, and every error of the connector turned into one of three that the runtime knows. Under `sink`.

- `OutageError`: nothing is wrong with the rows; wait and try again. Whatever is not clearly one of the others.
- `DataRefusedError`: a value that a column cannot take.
- `NotAllowedError`: who we are or what we may do; trying again would only lock the account.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import snowflake.connector
from snowflake.connector.errors import Error, ProgrammingError

from headrace.core.documents import SnowflakeConnection
from headrace_apps.runtime import OutageError, RefusedError, StopError

STATEMENT_SECONDS = 300
LOGIN_SECONDS = 30
HTTP_ATTEMPTS = 3
"""The connector's own, for one call; the loader retries whole batches above it, so few."""

_DATA_STATES = ("22", "23")
_DATA_ERRORS = range(100_000, 101_000)
_LOGIN_REFUSED = ("390100", "390144", "Incorrect username or password", "JWT token is invalid")


class DataRefusedError(RefusedError):
    """A value does not fit its column: SQLSTATE class 22 or 23, or Snowflake's 100xxx errors."""


class NotAllowedError(StopError):
    """The login or a privilege was refused."""


@dataclass(frozen=True, slots=True)
class Result:
    """`count` is the number of rows a statement changed."""

    rows: Sequence[tuple[Any, ...]]
    count: int


class Session(Protocol):
    """What `sink` needs of Snowflake; tests give it another."""

    def execute(self, sql: str) -> Result: ...

    def close(self) -> None: ...


class SnowflakeSession:
    """One login with snowflake-connector-python. Raises OutageError or NotAllowedError."""

    def __init__(self, settings: SnowflakeConnection, database: str, application: str) -> None:
        try:
            self._connection = snowflake.connector.connect(**connect_arguments(settings, database, application))
        except Error as error:
            raise _translate(error, "log in") from error

    def execute(self, sql: str) -> Result:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall()
                return Result(rows, cursor.rowcount or 0)
        except Error as error:
            raise _translate(error, sql.split(" (", 1)[0][:80]) from error

    def close(self) -> None:
        try:
            self._connection.close()
        except Error:
            return  # there is nothing left to close


def connect_arguments(settings: SnowflakeConnection, database: str, application: str) -> dict[str, Any]:
    """The arguments of `snowflake.connector.connect`. Raises NotAllowedError for a secret that cannot be read."""
    arguments: dict[str, Any] = {
        "account": settings.account,
        "user": settings.user,
        "database": database,
        "application": "Headrace",
        "protocol": settings.protocol,
        "login_timeout": LOGIN_SECONDS,
        "query_timeout": STATEMENT_SECONDS,
        "retry_max_attempts": HTTP_ATTEMPTS,
        "client_session_keep_alive": True,
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": {
            "TIMEZONE": "UTC",
            "QUERY_TAG": application,
            # The connector must not talk to anybody but the account.
            "CLIENT_TELEMETRY_ENABLED": False,
        },
    }
    optional = {"host": settings.host, "port": settings.port, "warehouse": settings.warehouse, "role": settings.role}
    arguments |= {name: value for name, value in optional.items() if value is not None}
    if settings.protocol == "http":
        # Only the stand-in speaks it, on loopback, where no proxy of the environment belongs.
        arguments["proxy"] = ""
    if settings.private_key_file:
        arguments |= {"authenticator": "SNOWFLAKE_JWT", "private_key_file": settings.private_key_file}
    elif settings.password_file:
        arguments["password"] = _secret(settings.password_file)
    else:
        arguments["password"] = "none"  # noqa: S105 - the stand-in asks for one and looks at none
    return arguments


def _secret(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise NotAllowedError(f"cannot read Snowflake's password file {file}: {error.strerror}") from error


def _translate(error: Error, what: str) -> Exception:
    message = f"{what}: {' '.join(str(error).split())[:500]}"
    if any(sign in str(error) for sign in _LOGIN_REFUSED):
        return NotAllowedError(message)
    state, number = getattr(error, "sqlstate", None) or "", getattr(error, "errno", None) or 0
    if isinstance(error, ProgrammingError):
        # A CREATE has no rows to refuse: what it meets there is another loader that creates the same.
        if not what.startswith("CREATE") and (state.startswith(_DATA_STATES) or number in _DATA_ERRORS):
            return DataRefusedError(message)
        if state == "42501":
            return NotAllowedError(message)
    return OutageError(message)


# Else every login asks three clouds' metadata addresses what it runs on; traffic goes to the account and nowhere else.
os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")

# The connector announces defaults of future versions on every login.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"snowflake\.connector")
