"""A store whose process is killed at any moment is a state of the topic, and knows which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[3]))

from tests.children import die_with_parent

from headrace_apps.gateway.views.order import KEYS, STRANGE, KeyOrder, behind
from headrace_apps.gateway.views.rocks import RocksViewStore
from headrace_apps.gateway.views.store import Change, Entry

KEYS_WRITTEN = 97
DELETED_EVERY = 7


def change_at(offset: int) -> Change:
    """The topic's record at this offset: of one of some keys, now and then a tombstone."""
    key = b"k%d" % (offset * 31 % KEYS_WRITTEN)
    return Change(key, None if offset % DELETED_EVERY == 0 else Entry(b"%d" % offset, 0, offset, 0))


WRITER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_view_store_killed import RocksViewStore, KeyOrder, change_at
store = RocksViewStore(Path(sys.argv[1]), KeyOrder())
offset = store.positions().get(0, 0)
while True:
    size = 1 + offset % 50
    store.apply([change_at(offset + n) for n in range(size)], {{0: offset + size}}, 0.0)
    offset += size
    print(offset, flush=True)
"""


def test_a_killed_store_has_exactly_what_its_positions_cover(tmp_path: Path) -> None:
    reached = 0
    for further in (500, 3_000, 1):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )
        try:
            assert writer.stdout is not None
            for line in writer.stdout:
                if int(line) >= reached + further:
                    break
        finally:
            os.kill(writer.pid, signal.SIGKILL)  # in the midst of a later batch
            writer.communicate()
        store = RocksViewStore(tmp_path, KeyOrder())
        position = store.positions()[0]
        assert position >= reached + further, "what it had said was there"
        expected: dict[bytes, bytes] = {}
        for offset in range(position):
            change = change_at(offset)
            if change.entry is None:
                expected.pop(change.key, None)
            else:
                expected[change.key] = change.entry.value
        found = store.read().scan(KEYS, behind(STRANGE), 1000)
        assert {entry.key: entry.entry.value for entry in found} == expected
        assert store.count() == len(expected)
        store.close()
        reached = position
