"""Which rows of a batch the table refuses: bisection, each try rolled back. Used by `loader`."""

from __future__ import annotations

from collections.abc import Callable

from headrace.core.dead_letter import Reason
from headrace_apps.loader.batches import Batch
from headrace_apps.loader.rows import Refused
from headrace_apps.loader.session import DataRefusedError
from headrace_apps.runtime import StopError

SINGLE_REFUSALS = 20
"""So many rows refused, and none taken, is no poison among rows but a table that fits none of them."""


class RowsFailedError(DataRefusedError):
    """Not refused, but failed as often as declared, and not because something was away."""


class EveryRowRefusedError(StopError):
    """The fault is not in single rows; dead-lettering them all would empty the topic into the dead letters."""


def find_refused(
    batch: Batch, error: DataRefusedError, attempt: Callable[[Batch], DataRefusedError | None]
) -> dict[int, Refused]:
    """The rows (by index) that `attempt` refuses one by one; `error` is why it refused the whole batch.

    About 2·k·log2(n) attempts for k bad rows among n. Raises EveryRowRefusedError, also for a batch that has no rows:
    whatever failed then, no row is at fault.
    """
    if not batch.rows:
        raise EveryRowRefusedError(
            f"a batch without rows only moves the stored offsets on, and not even that was taken: {error}. "
            "Look at the sink's rows in the offsets table"
        ) from error
    refused: dict[int, Refused] = {}
    taken = 0
    # A stack instead of recursion; the left half is looked at first.
    suspects = [(0, len(batch.rows), error)]
    while suspects:
        start, end, why = suspects.pop()
        if end - start == 1:
            failed = isinstance(why, RowsFailedError)
            reason, words = (Reason.FAILED, "") if failed else (Reason.UNLOADABLE, "the table refuses the row: ")
            refused[start] = Refused(reason, f"{words}{why}")
            if not taken and len(refused) >= SINGLE_REFUSALS:
                raise EveryRowRefusedError(
                    f"the table refused each of {len(refused)} rows and took none: {why}. Nothing was dead-lettered; "
                    "compare the table's columns with the sink's"
                )
            continue
        middle = (start + end) // 2
        halves = []
        for left, right in ((start, middle), (middle, end)):
            outcome = attempt(batch.part(left, right))
            if outcome is None:
                taken += right - left
            else:
                halves.append((left, right, outcome))
        if not halves:
            raise EveryRowRefusedError(
                f"the table refuses rows {start} to {end - 1} of a batch together, but takes either half: {why}"
            )
        suspects.extend(reversed(halves))
    return refused
