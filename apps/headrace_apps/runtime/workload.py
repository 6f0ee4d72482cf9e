"""The lanes of one consumer and the threads that work on them: batches out, outcomes in. Between `runtime` and `work`.

All methods are for the loop's thread. An outcome is one of three: done, and so committed; done by somebody else, so
that positions have to be read again (`moved`); or an error that ends the consumer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from headrace_apps.runtime.consumption import Consumption
from headrace_apps.runtime.figures import Series
from headrace_apps.runtime.handler import JoinedHandler, LaneHandler, MovedError
from headrace_apps.runtime.lanes import Lane, Lanes
from headrace_apps.runtime.retry import WAITED_FOR, Retry
from headrace_apps.runtime.watch import Seen
from headrace_apps.runtime.work import LaneWork, Letters
from headrace_apps.runtime.workers import Outcome, Workers

LOOK_SECONDS = 0.2

log = logging.getLogger(__name__)

Commit = Callable[[Mapping[int, int]], None]
_POSITIONS, _WATCHED = object(), object()
"""What workers do beside the batches of a lane."""


class StoppedError(Exception):
    """The stop signal ended the waiting for a target."""


@runtime_checkable
class Watcher(Protocol):
    """A joined handler that wants to know where the topic begins and ends: told on its own thread, between batches."""

    def watched(self, seen: Seen) -> None: ...


class Workload:
    """Raises StoppedError when waiting was ended, and whatever else a worker died of."""

    def __init__(
        self,
        consumption: Consumption,
        retry: Retry,
        stopped: Callable[[], bool],
        *,
        handler: LaneHandler | None,
        joined: JoinedHandler | None,
        letters: Letters | None,
        series: Series | None,
    ) -> None:
        self._consumption = consumption
        self._retry = retry
        self._stopped = stopped
        self._joined = joined
        self._work = LaneWork(handler, retry, consumption.attempts, letters, series) if handler else None
        self._workers = Workers(1 if joined else consumption.workers, consumption.topic)
        self._worked_at = time.monotonic()
        self._telling = False
        self.lanes = Lanes(consumption.batch, consumption.room, joined=joined is not None)
        self.moved = False
        """Positions have to be read again, once nothing is in work; nothing is begun until then."""

    @property
    def under_way(self) -> bool:
        return self._workers.under_way > 0

    @property
    def busy(self) -> bool:
        return any(lane.busy for lane in self.lanes.all)

    @property
    def full(self) -> bool:
        """Nothing can come, and something is in work."""
        return self.under_way and bool(self.lanes.all) and all(lane.paused for lane in self.lanes.all)

    def works_on(self, partitions: Sequence[int]) -> bool:
        lanes = [self.lanes.of(partition) for partition in partitions]
        return any(lane is not None and lane.busy for lane in lanes)

    def due_in(self, longest: float) -> float:
        """Seconds until a batch is to be begun, at most so many."""
        now = time.monotonic()
        due = [wait for lane in self.lanes.all if (wait := lane.due_in(now)) is not None]
        return min([longest, *due])

    def begin(self, commit: Commit, *, all_of_it: bool = False) -> None:
        """Hand over what is due, or all that waits."""
        now = time.monotonic()
        for lane in self.lanes.all:
            due = lane.due_in(now)
            if due is not None and (due <= 0 or all_of_it):
                self._submit(lane, now)
            elif lane.has_markers():
                self._step_over(lane, now, commit)

    def tell(self, seen: Seen) -> bool:
        """Tell a handler that wants to know; False while it has not heard of the last look yet."""
        if self._telling:
            return False
        if isinstance(self._joined, Watcher):
            self._telling = True
            self._workers.submit(_WATCHED, partial(self._joined.watched, seen))
        return True

    def collect(self, seconds: float, commit: Commit) -> None:
        """Take in what has come of the work; waits for the first so long."""
        while (outcome := self._workers.collect(seconds)) is not None:
            self._settle(outcome, commit)
            seconds = 0.0

    def find(self, partitions: Sequence[int], commit: Commit) -> Mapping[int, int]:
        """The joined handler's positions, found on its own thread behind the batch in work: it need not be made for
        several."""
        assert self._joined is not None  # noqa: S101 - for the type checker
        found: dict[int, int] = {}
        ask = partial(self._joined.find_positions, partitions)
        self._workers.submit(_POSITIONS, lambda: found.update(self._retry.call("find positions", ask)))
        while True:
            outcome = self._workers.collect(LOOK_SECONDS)
            if outcome is None:
                continue
            self._settle(outcome, commit)
            if outcome.what is _POSITIONS:
                return found

    def close(self, seconds: float) -> None:
        """Wait so long for what is under way: whoever comes next must not meet it. Its outcome interests nobody."""
        end = time.monotonic() + seconds
        while self._workers.under_way and time.monotonic() < end:
            self._workers.collect(LOOK_SECONDS)
        self._workers.close()

    def _submit(self, lane: Lane, now: float) -> None:
        batch = lane.take(now)
        self._worked_at = now
        if self._joined is not None:
            work = partial(self._retry.call, "handle a batch", partial(self._joined.handle, batch))
        else:
            assert self._work is not None  # noqa: S101 - the runtime looked
            work = partial(self._work, batch)
        self._workers.submit(lane, work)

    def _step_over(self, lane: Lane, now: float, commit: Commit) -> None:
        if self._joined is None:
            lane.take(now)
            commit(lane.finish())
        elif now - self._worked_at >= self._consumption.markers_seconds:
            self._submit(lane, now)

    def _settle(self, outcome: Outcome, commit: Commit) -> None:
        lane = outcome.what if isinstance(outcome.what, Lane) else None
        self._telling = self._telling and outcome.what is not _WATCHED
        match outcome.error:
            case None:
                if lane is not None:
                    commit(lane.finish())
            case MovedError():
                log.warning("%s: reading positions again", outcome.error)
                self.moved = True
                if lane is not None:
                    lane.abandon()
            case error if isinstance(error, WAITED_FOR) and self._stopped():
                # Only the stop signal ends the waiting. Nothing of the batch is stored, so nothing of it is lost.
                raise StoppedError(str(error)) from error
            case error:
                raise error
