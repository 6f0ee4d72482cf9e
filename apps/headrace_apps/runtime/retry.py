"""Trying again: exponential backoff with full jitter, behind one breaker per target. Used by workers and handlers.

Outages are waited out, however long: only the stop signal ends that. Other failures are tried `attempts` times.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from confluent_kafka import KafkaException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    wait_random_exponential,
)

from headrace_apps.runtime.breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker
from headrace_apps.runtime.handler import MovedError, OutageError, RefusedError, StopError

WAITED_FOR = (OutageError, KafkaException)
DECIDED = (MovedError, StopError, RefusedError)
"""Never tried again, whoever raises them."""
STOP_LOOKS_SECONDS = 0.1

log = logging.getLogger(__name__)
T = TypeVar("T")


class Retry:
    """`stop` ends all waiting, and the last error is raised. For several threads."""

    def __init__(self, stop: Event, breaker: Breaker) -> None:
        self._stop = stop
        self._within = threading.local()
        self.breaker = breaker
        self.listeners: list[Callable[[BaseException], None]] = []
        """Told before each further attempt what the last one died of."""

    def call(self, what: str, step: Callable[[], T], attempts: int = 1, *, guarded: bool = True) -> T:
        """`step`'s result. `what` completes "waiting to …". A failure that is no outage is raised after `attempts`.

        `guarded` False: it asks another target than the breaker's. Raises OutageError when stopped before the attempts
        were used up: what was not tried as often as declared is no poison.
        """
        failures = 0

        def again(error: BaseException) -> bool:
            nonlocal failures
            if isinstance(error, WAITED_FOR):
                return True
            if not isinstance(error, Exception) or isinstance(error, DECIDED):
                return False
            failures += 1
            return failures < attempts

        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            pause = state.next_action.sleep if state.next_action else 0.0
            log.warning("waiting to %s, again in %.1f s: %s", what, pause, error)
            if error is not None:
                for listener in self.listeners:
                    listener(error)

        trying = Retrying(
            retry=retry_if_exception(again),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            stop=lambda _: self._stop.is_set(),
            sleep=sleep_using_event(self._stop),
            before_sleep=told,
            reraise=True,
        )
        try:
            return trying(lambda: self._guarded(step) if guarded else step())
        except (*WAITED_FOR, *DECIDED):
            raise
        except Exception as error:
            if failures < attempts:
                raise OutageError(f"stopped before it was tried {attempts} times: {error}") from error
            raise

    def _guarded(self, step: Callable[[], T]) -> T:
        """The step, in its turn: while the circuit is open, only one caller asks the target.

        A step within a step is in its turn already, and waits by its own backoff.
        """
        nested = getattr(self._within, "step", False)
        while not nested and (pause := self.breaker.admit()) > 0:
            if self._stop.wait(min(pause, STOP_LOOKS_SECONDS)):
                raise OutageError(f"stopped while waiting: {self.breaker.reason}")
        self._within.step = True
        try:
            result = step()
        except WAITED_FOR as error:
            self.breaker.failed(str(error))
            raise
        except BaseException:
            self.breaker.succeeded()  # it answered, be it with a refusal
            raise
        finally:
            self._within.step = nested
        self.breaker.succeeded()
        return result
