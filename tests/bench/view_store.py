"""What a view costs: writes with offsets, gets, pages, the time until a store is open again, and memory.

    python tests/bench/view_store.py [--keys 1000000] [--store rocks|sqlite]

Keys are of two fields (a page and a minute), values about 200 bytes of JSON, written in the follower's batches in random
order. `sqlite` is the alternative that docs/adr/0010-views-on-disk.md compares with: the standard library's, in WAL mode.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from headrace.core.columns import STRING, TIMESTAMP, Column
from headrace.core.keys import encode_key
from headrace_apps.gateway.views.order import KeyOrder, behind, place_fields
from headrace_apps.gateway.views.rocks import RocksViewStore
from headrace_apps.gateway.views.store import Change, Entry
from headrace_apps.records.instants import instant_text

COLUMNS = (Column(name="page", type=STRING, required=True), Column(name="minute", type=TIMESTAMP, required=True))
MINUTES = 1_000
START_MS = 1_795_374_060_000
VALUE = b'{"page":"/catalogue/0000000","minute":"2026-11-22T19:01:00Z","views":12345,"visitors":678,"note":"%s"}'
BATCH = 2_000
PAGE = 100


def key_of(number: int) -> bytes:
    fields = {"page": f"/catalogue/{number // MINUTES}", "minute": instant_text(START_MS + number % MINUTES * 60_000)}
    return encode_key(COLUMNS, fields) or b""


def change_of(number: int) -> Change:
    return Change(key_of(number), Entry(VALUE % (b"x" * 90), 0, number, START_MS))


class SqliteStore:
    """As much of a view store as is measured."""

    def __init__(self, folder: Path) -> None:
        self._order = KeyOrder(COLUMNS)
        self._db = sqlite3.connect(folder / "view.sqlite", isolation_level=None)
        for statement in ("journal_mode=wal", "synchronous=normal", "cache_size=-16000"):
            self._db.execute(f"PRAGMA {statement}")
        self._db.execute("CREATE TABLE IF NOT EXISTS entries (place BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def apply(self, changes: list[Change], offset: int) -> None:
        rows = [(self._order.place(c.key), c.key + c.entry.value) for c in changes if c.entry is not None]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", [*rows, (b"\x00", b"%d" % offset)])
        self._db.execute("COMMIT")

    def get(self, key: bytes) -> Any:
        return self._db.execute("SELECT value FROM entries WHERE place = ?", (self._order.place(key),)).fetchone()

    def page(self, start: bytes) -> Any:
        wanted = "SELECT place, value FROM entries WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
        return self._db.execute(wanted, (start, behind(start), PAGE)).fetchall()

    def close(self) -> None:
        self._db.close()


class Rocks:
    """The product's store, with the same calls."""

    def __init__(self, folder: Path) -> None:
        self.store = RocksViewStore(folder / "view", KeyOrder(COLUMNS))

    def apply(self, changes: list[Change], offset: int) -> None:
        self.store.apply(changes, {0: offset}, 0.0)

    def get(self, key: bytes) -> Any:
        return self.store.read().get(key)

    def page(self, start: bytes) -> Any:
        return self.store.read().scan(start, behind(start), PAGE)

    def close(self) -> None:
        self.store.close()


def rate(what: str, count: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<34}{count / wall:>12,.0f}/s {cpu / count * 1e6:>8.1f} µs CPU {memory():>6.0f} MB", flush=True)


def memory() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def measure(make: Callable[[Path], Any], keys: int, folder: Path) -> None:
    chance = random.Random(5)
    order = list(range(keys))
    chance.shuffle(order)
    store = make(folder)
    print(f"{'at the start':<34}{memory():>46.0f} MB")

    def write() -> None:
        for start in range(0, keys, BATCH):
            store.apply([change_of(number) for number in order[start : start + BATCH]], start)

    rate("changes made (without a store)", 50_000, lambda: [change_of(number) for number in order[:50_000]])
    rate("written, with offsets", keys, write)
    asked = [key_of(chance.randrange(keys)) for _ in range(30_000)]
    times = []

    def get() -> None:
        for key in asked:
            before = time.perf_counter()
            assert store.get(key) is not None
            times.append(time.perf_counter() - before)

    rate("get", len(asked), get)
    times.sort()
    print(f"{'  p50, p99':<34}{times[len(times) // 2] * 1e6:>10.1f} µs {times[len(times) * 99 // 100] * 1e6:>8.1f} µs")
    rate("get of a key that is not there", 30_000, lambda: [store.get(b"%d" % n) for n in range(30_000)])
    prefixes = [place_fields(COLUMNS, [f"/catalogue/{chance.randrange(keys // MINUTES)}"]) for _ in range(1_000)]
    rate(f"prefix, {PAGE} entries a page", len(prefixes) * PAGE, lambda: [store.page(start) for start in prefixes])
    store.close()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{'on disk':<34}{size / 2**20:>46.0f} MB")
    before = time.perf_counter()
    store = make(folder)
    assert store.get(asked[0]) is not None
    print(f"{'open again, with one get':<34}{(time.perf_counter() - before) * 1e3:>46.0f} ms")
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure({"rocks": Rocks, "sqlite": SqliteStore}[options.store], options.keys, Path(folder))


if __name__ == "__main__":
    main()
