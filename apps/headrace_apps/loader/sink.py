"""One sink's table, loaded exactly once (docs/adr/0005-loading-exactly-once.md). Under `loader`, over `session`.

prepare            schema, offsets table, table (and its new columns), staging table, stage
load(batch)        PUT, then one transaction: fence, COPY, repeats out, INSERT or MERGE, staging cleared; COMMIT
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import Batch, Repeats
from headrace_apps.loader.evolution import diff_table
from headrace_apps.loader.layout import FOLDED, Layout
from headrace_apps.loader.session import DataRefusedError, NotAllowedError, Session
from headrace_apps.loader.staging import write_parquet
from headrace_apps.loader.statements import BEGIN, COMMIT, ROLLBACK, Statements
from headrace_apps.runtime import MovedError, OutageError, Span

ROWS_PER_DELETE = 10_000
"""Row numbers in one IN list: well below Snowflake's limits for expressions and statement size."""


class FencedError(MovedError):
    """The stored offsets are not where the batch starts: somebody else loaded these records."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Records whose effect is in the table, and records that were already there."""

    loaded: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """`topic_id` is Kafka's for the topic it was read from; `updated` is epoch milliseconds."""

    next_offset: int
    topic_id: str
    updated: int


class SnowflakeSink:
    """Not for several threads. Every method may raise OutageError, after which `prepare` comes first again."""

    def __init__(
        self, document: LoaderDocument, layout: Layout, connect: Callable[[], Session], new_id: Callable[[], UUID]
    ) -> None:
        self._document = document
        self._layout = self._staged_layout = layout
        self._connect = connect
        self._new_id = new_id
        self._repeats = Repeats(layout, document.id.window_ms) if layout.id and document.id else None
        self._folded_at = [column.name for column in layout.staging].index(FOLDED)
        self._in_doubt: tuple[Mapping[int, Span], Loaded] | None = None
        self._session: Session | None = None
        self._statements: Statements | None = None

    def prepare(self) -> None:
        """Log in, unless logged in, and make sure of everything that a load needs.

        Raises TableMismatchError for a column that cannot hold its values, NotAllowedError.
        """
        if self._session is not None:
            return
        session = self._connect()
        document, layout = self._document, self._layout
        # A stage of this session's own: two loaders never meet in one.
        stage = f"_HEADRACE_STAGE_{self._new_id().hex.upper()}"
        sql = Statements(document.table, self._layout, document.group_id, document.topic.kafka_topic, stage)
        with contextlib.suppress(NotAllowedError):
            # A role may load into a schema without the right to make one; if it is not there, the next one says so.
            session.execute(sql.create_schema())
        for statement in (sql.create_offsets(), sql.create_table()):
            session.execute(statement)
        existing = {str(row[0]): str(row[1]) for row in session.execute(sql.describe_table()).rows}
        changes = diff_table(sql.table, self._layout.table, existing)
        if changes.texts:
            layout = self._layout.with_texts(changes.texts)
            sql = Statements(document.table, layout, document.group_id, document.topic.kafka_topic, stage)
        for column in changes.add:
            session.execute(sql.add_column(column))
        for column, declared in changes.widen:
            with contextlib.suppress(NotAllowedError):
                # Only a table's owner may. Without the right, what does not fit is dead-lettered row by row.
                session.execute(sql.widen_column(column, declared))
        session.execute(sql.create_staging())
        session.execute(sql.create_stage())
        self._session, self._statements, self._staged_layout = session, sql, layout

    def disconnect(self) -> None:
        """Forget the session: after an outage nobody knows in which state it is."""
        session, self._session, self._statements = self._session, None, None
        if session is not None:
            session.close()

    def fetch_positions(self) -> dict[int, StoredPosition]:
        """The stored position of every partition that has one."""
        session, sql = self._connected()
        rows = session.execute(sql.select_positions()).rows
        return {int(row[0]): StoredPosition(int(row[1]), str(row[2] or ""), int(row[3] or 0)) for row in rows}

    def register_positions(self, positions: Mapping[int, int], topic_id: str) -> None:
        """Store where partitions start that nobody has loaded from."""
        session, sql = self._connected()
        session.execute(sql.register_positions(positions, topic_id))

    def load(self, batch: Batch) -> Loaded:
        """The batch's rows and offsets, together or not at all.

        Raises FencedError, DataRefusedError (a row the table does not take; nothing is loaded). After an OutageError
        the batch may be committed all the same, when only the answer to COMMIT was lost: so the next `load` of the same
        spans looks first.
        """
        if self._in_doubt is not None and self._in_doubt[0] == batch.spans:
            stored = self.fetch_positions()
            if all(stored[partition].next_offset == span.end for partition, span in batch.spans.items()):
                return self._in_doubt[1]
        self._in_doubt = None
        with self._uploaded(batch) as folder:
            return self._transaction(batch, folder, COMMIT)

    def try_load(self, batch: Batch) -> DataRefusedError | None:
        """The same without the commit: would these rows be taken?"""
        with self._uploaded(batch) as folder:
            try:
                self._transaction(batch, folder, ROLLBACK)
            except DataRefusedError as error:
                return error
        return None

    def _transaction(self, batch: Batch, folder: str, end: str) -> Loaded:
        session, sql = self._connected()
        session.execute(BEGIN)
        try:
            # First: whoever is fenced off finds out before the work, and the lock makes other loaders of this sink
            # wait, so that looking for repeats sees what they committed.
            self._pass_fence(session, sql, batch)
            loaded = Loaded(0, 0)
            if batch.rows:
                session.execute(sql.copy(folder))
                loaded = self._merge(session, sql) if self._layout.keys else self._insert(session, sql, batch)
                session.execute(sql.clear_staging())
                self._check_all_there(batch, loaded)
            self._in_doubt = (batch.spans, loaded)
            session.execute(end)
        except BaseException:
            with contextlib.suppress(OutageError, DataRefusedError, NotAllowedError):
                session.execute(ROLLBACK)
            raise
        return loaded

    def _pass_fence(self, session: Session, sql: Statements, batch: Batch) -> None:
        if session.execute(sql.fence(batch.spans)).count != len(batch.spans):
            raise FencedError(f"the offsets stored for {self._document.group_id} have moved on")

    def _check_all_there(self, batch: Batch, loaded: Loaded) -> None:
        """COPY calls it a success when it finds no file; committed, the offsets would step over the rows."""
        staged = sum(row[self._folded_at] for row in batch.rows)
        if loaded.loaded + loaded.duplicate != staged:
            raise OutageError(f"of {staged} staged records, {loaded.loaded} were loaded and {loaded.duplicate} known")

    def _insert(self, session: Session, sql: Statements, batch: Batch) -> Loaded:
        duplicate = 0
        if self._repeats is not None and self._document.id is not None:
            first, last = self._repeats.time_range(batch.rows)
            found = session.execute(sql.select_loaded_ids(self._document.id.window_ms, first, last)).rows
            repeats = self._repeats.find(batch.rows, {int(row[0]) for row in found})
            numbers = sorted(repeats)
            for start in range(0, len(numbers), ROWS_PER_DELETE):
                duplicate += session.execute(sql.delete_staged(numbers[start : start + ROWS_PER_DELETE])).count
        return Loaded(session.execute(sql.insert()).count, duplicate)

    def _merge(self, session: Session, sql: Statements) -> Loaded:
        stale = int(session.execute(sql.count_stale()).rows[0][0])
        if stale:
            session.execute(sql.delete_stale())
        loaded = int(session.execute(sql.count_staged()).rows[0][0])
        session.execute(sql.merge())
        return Loaded(loaded, stale)

    @contextlib.contextmanager
    def _uploaded(self, batch: Batch) -> Iterator[str]:
        """A folder of the stage with the batch's file: a new one each time, gone afterwards."""
        session, sql = self._connected()
        folder = self._new_id().hex
        if not batch.rows:
            yield folder
            return
        with tempfile.TemporaryDirectory(prefix="headrace-") as local:
            file = Path(local) / "rows.parquet"
            write_parquet(self._staged_layout, batch.rows, file)
            session.execute(sql.put(file, folder))
        try:
            yield folder
        finally:
            # The stage is temporary, so a file that stays here for once goes with the session.
            with contextlib.suppress(OutageError, DataRefusedError, NotAllowedError):
                session.execute(sql.remove(folder))

    def _connected(self) -> tuple[Session, Statements]:
        if self._session is None or self._statements is None:
            raise OutageError("not logged in")
        return self._session, self._statements
