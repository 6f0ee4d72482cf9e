"""A view's store in RocksDB, an embedded store on disk (docs/adr/0010 says why that one). Behind `store.ViewStore`.

Changes, the positions after them and the number of keys are one write batch, so wherever the process is killed the
store is a state of the topic, and knows which.
"""

from __future__ import annotations

import logging
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import orjson
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, RdictIter, WriteBatch

from headrace_apps.gateway.views.order import KEYS, STRANGE, KeyOrder, behind
from headrace_apps.gateway.views.store import Change, Entry, Found, NewStore, Reading, StoreError, ViewStore

CACHE_BYTES = 16 * 1024 * 1024
BUFFER_BYTES = 8 * 1024 * 1024
BUFFERS = 3
"""What a view may take in memory: the cache, and so many buffers of writes that are not in a file yet. Index and bloom
filter (about 1.5 bytes a key) come on top; kept in the cache they would push each other out of its shards."""
EXPIRED_AT_ONCE = 1_000

_LAYOUT = 2
"""To be raised when keys get other places: a store of another layout is emptied."""
_META = b"\x00meta"
_HEAD = struct.Struct(">iqqI")
_LOCKED = ("lock", "LOCK")

log = logging.getLogger(__name__)


class _Meta(NamedTuple):
    """Written with every batch of changes. `written` is epoch seconds."""

    identity: str
    positions: Mapping[int, int]
    keys: int
    written: float

    def dump(self) -> bytes:
        positions = {str(partition): offset for partition, offset in self.positions.items()}
        return orjson.dumps([_LAYOUT, self.identity, positions, self.keys, self.written])

    @classmethod
    def load(cls, raw: bytes | None) -> _Meta:
        """Of a new store, or one of another layout: an identity that nothing has."""
        known: list[Any] = orjson.loads(raw) if raw is not None else []
        if not known or known[0] != _LAYOUT:
            return cls("", {}, 0, 0.0)
        _, identity, positions, keys, written = known
        return cls(identity, {int(partition): offset for partition, offset in positions.items()}, keys, written)


class RocksViewStore:
    """A folder of its own. Raises StoreError when another process has it open."""

    def __init__(self, folder: Path, order: KeyOrder | None = None) -> None:
        self._order = order or KeyOrder()
        self._db = _open(folder)
        self._meta = _Meta.load(self._db.get(_META))
        self._expired: dict[int, int] = {}
        if not self._meta.identity:
            self._write(WriteBatch(raw_mode=True), self._meta)
        self._closing = Lock()
        self._closed = False

    def prepare(self, identity: str, now: float, outdated: float) -> bool:
        meta = self._meta
        if meta.identity == identity and now - meta.written < outdated:
            return False
        batch = WriteBatch(raw_mode=True)
        for first in (KEYS, STRANGE):
            batch.delete_range(first, behind(first))
        self._write(batch, _Meta(identity, {}, 0, now))
        self._expired.clear()
        return bool(meta.positions)

    def apply(self, changes: Sequence[Change], positions: Mapping[int, int], now: float) -> None:
        batch = WriteBatch(raw_mode=True)
        latest = {self._order.place(change.key): change for change in changes}
        count = self._meta.keys
        if latest:
            places: list[Any] = list(latest)
            # Whether a key is new costs a look, and gives a count of keys that is exact.
            for place, was in zip(places, self._db.get(places) or (), strict=True):
                change = latest[place]
                if change.entry is not None:
                    batch.put(place, _pack(change.key, change.entry))
                    count += was is None
                elif was is not None:
                    batch.delete(place)
                    count -= 1
        self._write(batch, _Meta(self._meta.identity, {**self._meta.positions, **positions}, count, now))

    def expire(self, earliest: Mapping[int, int]) -> int:
        moved = {p: offset for p, offset in earliest.items() if offset > self._expired.get(p, 0)}
        if not moved:
            return 0
        gone = 0
        batch = WriteBatch(raw_mode=True)
        for place, raw in _items(self._db.iter(), KEYS, behind(STRANGE)):
            partition, offset, _, _ = _HEAD.unpack_from(raw)
            if offset < moved.get(partition, 0):
                batch.delete(place)
                gone += 1
                if len(batch) >= EXPIRED_AT_ONCE:
                    self._write(batch, self._meta._replace(keys=self._meta.keys - len(batch)))
                    batch = WriteBatch(raw_mode=True)
        if len(batch):
            self._write(batch, self._meta._replace(keys=self._meta.keys - len(batch)))
        # Where the reader is not there yet, records from before may still come out of its queue.
        positions = self._meta.positions
        self._expired.update({p: offset for p, offset in moved.items() if positions.get(p, 0) >= offset})
        return gone

    def get(self, key: bytes) -> Entry | None:
        raw = self._db.get(self._order.place(key))
        return None if raw is None else _unpack(raw)[1]

    def read(self) -> Reading:
        return _RocksReading(self._db.iter(), self._order)

    def positions(self) -> Mapping[int, int]:
        return self._meta.positions

    def count(self) -> int:
        return self._meta.keys

    def close(self) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._db.close()

    def _write(self, batch: WriteBatch, meta: _Meta) -> None:
        batch.put(_META, meta.dump())
        self._db.write(batch)
        # Only now: who is told a position finds all that lies before it.
        self._meta = meta


class _RocksReading:
    """Not for several threads at once. An iterator sees the store as it was when it was made; the binding's snapshots
    keep that promise for single keys only."""

    def __init__(self, entries: RdictIter, order: KeyOrder) -> None:
        self._entries = entries
        self._order = order
        self.positions = _Meta.load(self._at(_META)).positions

    def get(self, key: bytes) -> Entry | None:
        raw = self._at(self._order.place(key))
        return None if raw is None else _unpack(raw)[1]

    def scan(self, start: bytes, end: bytes, limit: int) -> list[Found]:
        items = islice(_items(self._entries, start, end), limit)
        return [Found(place, *_unpack(raw)) for place, raw in items]

    def _at(self, place: bytes) -> bytes | None:
        self._entries.seek(place)
        found: bytes | None = None
        if self._entries.valid() and self._entries.key() == place:
            found = self._entries.value()
        return found


def _items(entries: RdictIter, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
    """From `start` to before `end`."""
    entries.seek(start)
    while entries.valid():
        place = entries.key()
        if place >= end:
            return
        yield place, entries.value()
        entries.next()


def stores_in(folder: Path) -> NewStore:
    """Each in a folder of its own below this one."""

    def new_store(name: str, order: KeyOrder) -> ViewStore:
        return RocksViewStore(folder / name, order)

    return new_store


def _open(folder: Path) -> Rdict:
    table = BlockBasedOptions()
    table.set_block_cache(Cache(CACHE_BYTES))
    table.set_bloom_filter(10, False)  # bits a key: most looks for keys that are not there end here
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(BUFFER_BYTES)
    options.set_max_write_buffer_number(BUFFERS)
    options.set_max_total_wal_size(4 * BUFFER_BYTES)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Rdict(str(folder), options)
    except Exception as error:  # the binding raises nothing narrower
        if any(word in str(error) for word in _LOCKED):
            raise StoreError(f"{folder} is in use by another gateway: give each its own --data folder") from error
        log.warning("%s cannot be opened and is made anew from the topic: %s", folder, error)
    shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        return Rdict(str(folder), options)
    except Exception as error:
        raise StoreError(f"{folder} cannot be used for a view: {error}") from error


def _pack(key: bytes, entry: Entry) -> bytes:
    return _HEAD.pack(entry.partition, entry.offset, entry.timestamp, len(key)) + key + entry.value


def _unpack(raw: bytes) -> tuple[bytes, Entry]:
    partition, offset, timestamp, length = _HEAD.unpack_from(raw)
    value = _HEAD.size + length
    return raw[_HEAD.size : value], Entry(raw[value:], partition, offset, timestamp)
