"""A Snowflake stand-in for one machine: fakesnow's server, with what a loader needs to be held to account.

Runs alone in an environment of its own (`locks/snowflake-stand-in.txt`), because fakesnow needs an older
snowflake-connector-python than the loader uses: imports the standard library, fakesnow and what fakesnow brings.

    python server.py --db-path DIR --host 127.0.0.1 --port N

Added to fakesnow 0.12, each with its reason below: databases that survive SIGKILL, a readiness route, the login and
upload fields that connector 5 wants, `REMOVE`, `MERGE` inside a transaction, NULL timestamps in results, errors with
Snowflake's codes where fakesnow answers HTTP 500, and sessions whose client died in the middle of a transaction.
Authentication is not checked. Listen on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import re
import shutil
import sys
import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.info_schema
import fakesnow.server
import pyarrow as pa
import pyarrow.compute as pc
import snowflake.connector.errors
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms import stage
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

IDLE_TRANSACTION_SECONDS = 5.0
"""A transaction that nobody touched for so long is rolled back and its session ended. Snowflake does so after five
minutes when someone waits for its locks; a demo that kills the loader cannot wait that long."""

SESSION_IDS = itertools.count(1)
BEGIN = re.compile(r"\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
END = re.compile(r"\s*(COMMIT|ROLLBACK)\b", re.IGNORECASE)
REMOVE = re.compile(r"\s*(?:REMOVE|RM)\s+@(\S+)\s*;?\s*$", re.IGNORECASE)


@dataclass
class Activity:
    """What one session was last seen doing, on the monotonic clock."""

    in_transaction: bool = False
    running: int = 0
    last_used: float = field(default_factory=time.monotonic)


activities: dict[str, Activity] = {}


async def login(request: Request) -> JSONResponse:
    """fakesnow's login, plus the fields that connector 5 refuses to do without."""
    body = json.loads(bytes((await fakesnow.server.login_request(request)).body))
    token = body["data"]["token"]
    day = 24 * 3600
    body["data"] |= {
        "masterToken": token,
        "sessionId": next(SESSION_IDS),
        "validityInSeconds": day,
        "masterValidityInSeconds": 7 * day,
    }
    activities[token] = Activity()
    return JSONResponse(body)


async def query(request: Request) -> JSONResponse:
    """fakesnow's query, with `REMOVE` and a note of who is in a transaction."""
    body = await request.body()
    zipped = request.headers.get("Content-Encoding") == "gzip"
    call: dict[str, Any] = json.loads(gzip.decompress(body) if zipped else body)
    sql = call["sqlText"]
    if match := REMOVE.match(sql):
        call["sqlText"] = remove_files(match[1])
        body = json.dumps(call).encode()
        request._body = gzip.compress(body) if zipped else body
    activity = activities.setdefault(fakesnow.server.to_token(request), Activity())
    activity.running += 1
    if BEGIN.match(sql):
        activity.in_transaction = True
    try:
        answer: JSONResponse = await fakesnow.server.query_request(request)
        return answer
    finally:
        activity.running -= 1
        activity.last_used = time.monotonic()
        if END.match(sql):
            activity.in_transaction = False


def remove_files(target: str) -> str:
    """Delete the staged files under `stage/path`; answers the statement that reports it."""
    name, _, path = target.strip("'").partition("/")
    database, schema, stage_name = stage.parts_from_var(name, None, None)
    folder = Path(stage.internal_dir(f"{database}.{schema}.{stage_name}", path))
    shutil.rmtree(folder, ignore_errors=True)
    shown = f"{stage_name.lower()}/{path}".replace("'", "''")
    return f"SELECT '{shown}' AS \"name\", 'removed' AS \"result\""


def healthz(_: Request) -> JSONResponse:
    with fakesnow.server.shared_fs.duck_conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JSONResponse({"status": "ok"})


def telemetry(_: Request) -> JSONResponse:
    return JSONResponse({"data": None, "success": True})


async def end_abandoned_sessions() -> None:
    """Roll back what a killed client left open: its row locks would refuse its successor for ever."""
    while True:
        await asyncio.sleep(0.5)
        now = time.monotonic()
        for token, activity in list(activities.items()):
            idle = now - activity.last_used
            if activity.in_transaction and not activity.running and idle > IDLE_TRANSACTION_SECONDS:
                activities.pop(token, None)
                # Gone, not merely rolled back: a slow client must log in again, or the rest of its transaction
                # would run statement by statement, each committed at once.
                if connection := fakesnow.server.sessions.pop(token, None):
                    connection.close()


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    sweeper = asyncio.create_task(end_abandoned_sessions())
    yield
    sweeper.cancel()
    fakesnow.server.sessions.clear()
    fakesnow.server.shared_fs.duck_conn.close()


def app() -> Starlette:
    ours = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/queries/v1/query-request", query, methods=["POST"]),
        Route("/telemetry/send", telemetry, methods=["POST"]),
    ]
    taken = {route.path for route in ours}
    theirs = [route for route in fakesnow.server.routes if route.path not in taken]
    return Starlette(routes=[*ours, *theirs], lifespan=lifespan)


def open_databases(db_path: Path) -> FakeSnow:
    """Every database in the folder, attached: fakesnow attaches one only when a client logs into it."""
    db_path.mkdir(parents=True, exist_ok=True)
    instance = FakeSnow(db_path=db_path)
    for file in sorted(db_path.glob("*.db")):
        instance.connect(database=file.stem).close()
    return instance


def use_stage_folder(folder: Path) -> None:
    """Staged files live beside the databases and are dropped at start: fakesnow forgets its stages anyway."""
    shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stage.LOCAL_BUCKET_PATH = str(folder)


def patch_uploads() -> None:
    """Connector 5 wants a region, and refuses a presigned upload that may not overwrite."""
    original = fakesnow.server.gcs_stage_info

    def stage_info(request: Request, expr: Any, put: Any) -> dict[str, Any]:
        put["overwrite"] = True
        return {**original(request, expr, put), "region": "local", "path": ""}

    fakesnow.server.gcs_stage_info = stage_info


def patch_merge() -> None:
    """fakesnow notes a comment for its helper table in another database, which a transaction may not write to."""
    original = fakesnow.info_schema.insert_table_comment_sql

    def insert_table_comment_sql(catalog: str, schema: str, table: str, comment: str) -> str:
        if table.lower() == "merge_candidates":
            return "SELECT 1"
        statement: str = original(catalog, schema, table, comment)
        return statement

    fakesnow.info_schema.insert_table_comment_sql = insert_table_comment_sql


def patch_null_timestamps() -> None:
    """Connector 5 reads Arrow strictly: a NULL timestamp is a NULL struct over non-null fields."""
    original = fakesnow.arrow.timestamp_to_sf_struct

    def timestamp_to_sf_struct(values: pa.Array | pa.ChunkedArray) -> pa.Array:
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not values.null_count:
            return original(values)
        dense = original(pc.fill_null(values, pa.scalar(0, pa.int64()).cast(values.type)))
        return pa.StructArray.from_arrays(dense.flatten(), fields=list(dense.type), mask=pc.is_null(values))

    fakesnow.arrow.timestamp_to_sf_struct = timestamp_to_sf_struct


def patch_errors() -> None:
    """DuckDB's errors that fakesnow answers with HTTP 500, which a client takes for an outage and retries."""
    original = FakeSnowflakeCursor._execute

    def execute(self: FakeSnowflakeCursor, *args: Any) -> None:
        try:
            original(self, *args)
        except duckdb.TransactionException as error:
            # Snowflake would wait for the lock; its code for a lock that cannot be had.
            raise _programming_error(str(error), 625, "57014") from error
        except (duckdb.DataError, duckdb.IntegrityError) as error:
            raise _programming_error(str(error), 100038, "22000") from error

    FakeSnowflakeCursor._execute = execute


def _programming_error(text: str, errno: int, sqlstate: str) -> Exception:
    first_line: str = text.split("\n", maxsplit=1)[0]
    error: Exception = snowflake.connector.errors.ProgrammingError(msg=first_line, errno=errno, sqlstate=sqlstate)
    return error


def main() -> int:
    parser = argparse.ArgumentParser(description="A Snowflake stand-in for one machine.")
    parser.add_argument("--db-path", type=Path, required=True, help="folder of the databases")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    # fakesnow's own deprecation notice, once per statement.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    for patch in (patch_uploads, patch_merge, patch_null_timestamps, patch_errors):
        patch()
    use_stage_folder(options.db_path / "stages")
    fakesnow.server.shared_fs = open_databases(options.db_path)
    server = uvicorn.Server(
        uvicorn.Config(app(), host=options.host, port=options.port, log_level="warning", access_log=False)
    )
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
