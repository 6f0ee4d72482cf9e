"""When a run may be checked: everything that was accepted came out at every end. Pure conditions over the figures.

How much must come out is the sample's own arithmetic on the ledger, the same that the check compares row by row.
"""

from __future__ import annotations

from headrace_apps.demo.check.expectation import Expectation
from headrace_apps.demo.figures import Figures


def undrained(expected: Expectation, figures: Figures) -> list[str]:
    """What is still to come, in words; empty when nothing is. Too much is not waited for: the check will tell."""
    waits = [(f"records in {o.topic}", figures.written[o.topic], n) for o, n in expected.written()]
    waits += [(f"rows of {t.sink}", figures.loaded[t.sink], len(t.wanted)) for t in expected.tables]
    waits += [
        (f"{letters.reason} dead letters of {letters.stage}", figures.letters[letters.stage, letters.reason], count)
        for letters, count in expected.letter_counts()
    ]
    return [f"{name} {found:,} of {wanted:,}" for name, found, wanted in waits if found < wanted]
