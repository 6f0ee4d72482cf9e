"""Waiting out an outage: exponential backoff with full jitter, one line that says what is waited for. Used by `loader`.

Outages of Snowflake and Kafka are lag, never dead letters: attempts are not numbered, only the stop signal ends them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from confluent_kafka import KafkaException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from headrace_apps.loader.session import OutageError
from headrace_apps.loader.written_letters import KafkaUnavailableError

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
"""Full jitter: each wait is uniform between nothing and the bound, which doubles from the first to the longest."""

WAITED_FOR = (OutageError, KafkaUnavailableError, KafkaException)

log = logging.getLogger(__name__)
T = TypeVar("T")


class Patience:
    """`before_retry` runs before each further attempt; `stop` ends the waiting, and the last error is raised."""

    def __init__(self, stop: Event, before_retry: Callable[[BaseException], None]) -> None:
        self._stop = stop
        self._before_retry = before_retry

    def call(self, what: str, step: Callable[[], T]) -> T:
        """`step`'s result, however long that takes. `what` completes "waiting to …"."""

        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            pause = state.next_action.sleep if state.next_action else 0.0
            log.warning("waiting to %s, again in %.1f s: %s", what, pause, error)
            if error is not None:
                self._before_retry(error)

        return Retrying(
            retry=retry_if_exception_type(WAITED_FOR),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=told,
            reraise=True,
        )(step)
