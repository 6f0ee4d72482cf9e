"""A view's follower when its topic is made again under it, and the one writer that a store has. Without a broker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from headrace_apps.gateway.views import follower as module
from headrace_apps.gateway.views.follower import Progress, ViewFollower
from headrace_apps.gateway.views.rocks import RocksViewStore
from headrace_apps.gateway.views.turn import Turn, WatchingHandler
from headrace_apps.runtime import Batch, Record, Seen, Span, StopError

DEADLINE = 20.0
NOW = 1_000.0


class PaperTopic:
    """What the broker says of a topic with one partition."""

    def __init__(self) -> None:
        self.id = "first"
        self.end = 3

    def begins(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 0)

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.end)


Run = Callable[[WatchingHandler], None]


def install(monkeypatch: pytest.MonkeyPatch, topic: PaperTopic, runs: Sequence[Run]) -> None:
    """In place of the reader: one run after the other, and then nothing until the follower is told to stop."""
    left = iter(runs)

    class PaperRuntime:
        def __init__(self, _: object, *, joined: WatchingHandler, stop: threading.Event, **_more: Any) -> None:
            self._joined, self._stop = joined, stop

        def run(self) -> None:
            if (step := next(left, None)) is None:
                self._stop.wait()
            else:
                step(self._joined)

    monkeypatch.setattr(module, "Runtime", PaperRuntime)
    monkeypatch.setattr(module, "BrokerTopic", lambda *_: topic)
    monkeypatch.setattr(module, "fetch_topic_id", lambda *_: topic.id)


def records(start: int, end: int) -> Batch:
    made = [Record(0, offset, b"k%d" % offset, b"v", None, 0) for offset in range(start, end)]
    return Batch(made, {0: Span(start, end)}, {})


def seen(end: int, asked: float) -> Seen:
    return Seen(begins={0: 0}, ends={0: end}, asked=asked, begins_asked=asked)


@pytest.mark.parametrize("change", ["made again", "cut"])
def test_a_store_that_is_emptied_while_it_is_followed_is_to_be_restored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    topic, store = PaperTopic(), RocksViewStore(tmp_path)
    told: SimpleQueue[Progress] = SimpleQueue()

    def tell() -> None:
        told.put(follower.progress)

    def first(joined: WatchingHandler) -> None:
        joined.find_positions([0])
        joined.handle(records(0, 3))
        tell()
        joined.watched(seen(9, NOW + 1))  # a question that the topic as it will be never answers
        topic.end = 2
        if change == "made again":
            topic.id = "second"
            raise StopError("the topic is away")
        try:
            joined.find_positions([0])
        finally:
            tell()

    def second(joined: WatchingHandler) -> None:
        tell()
        joined.find_positions([0])
        tell()
        joined.handle(records(0, 2))
        joined.watched(seen(2, NOW + 5))
        tell()

    install(monkeypatch, topic, [first, second])
    follower = ViewFollower("v", kafka={}, topic="t", store=store, now=lambda: NOW)
    follower.start()
    try:
        assert told.get(timeout=DEADLINE) == Progress(restored=True, applied=3, to_apply=3, confirmed=NOW)
        empty = Progress(restored=False, applied=0, to_apply=0, confirmed=None)
        if change == "cut":
            assert told.get(timeout=DEADLINE) == empty
        assert told.get(timeout=DEADLINE) == empty
        assert told.get(timeout=DEADLINE) == Progress(restored=False, applied=0, to_apply=2, confirmed=None)
        assert told.get(timeout=DEADLINE) == Progress(restored=True, applied=2, to_apply=2, confirmed=NOW + 5)
        assert (store.count(), store.positions()) == (2, {0: 2})
    finally:
        follower.close()


class SlowHandler:
    """Looks for expired entries until it is let go."""

    def __init__(self) -> None:
        self.looks = threading.Event()
        self.go_on = threading.Event()
        self.did: list[str] = []

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        return dict.fromkeys(partitions, 0)

    def handle(self, batch: Batch) -> None:
        self.did.append(f"handled {len(batch.records)}")

    def watched(self, _: Seen) -> None:
        self.looks.set()
        assert self.go_on.wait(DEADLINE)
        self.did.append("looked")


def test_a_run_ends_after_what_it_has_in_work_and_begins_nothing_more() -> None:
    slow = SlowHandler()
    turn = Turn(slow)
    worker = threading.Thread(target=turn.watched, args=(seen(1, NOW),))

    def end() -> None:
        turn.end()
        slow.did.append("ended")

    ending = threading.Thread(target=end)
    turn.handle(records(0, 2))
    worker.start()
    assert slow.looks.wait(DEADLINE)
    ending.start()
    slow.go_on.set()
    for thread in (worker, ending):
        thread.join(DEADLINE)
    assert slow.did[:2] == ["handled 2", "looked"]
    for late in (lambda: turn.handle(records(2, 3)), lambda: turn.find_positions([0])):
        with pytest.raises(StopError):
            late()
    assert slow.did == ["handled 2", "looked", "ended"]
