"""When the run may be checked: everything that was accepted came out at every end. Pure conditions over the figures."""

from __future__ import annotations

from headrace_apps.demo.clickstream import CLEANING_JOB, COUNTING_JOB, SINK
from headrace_apps.demo.figures import Figures
from headrace_apps.demo.sender import Tally


def undrained(tally: Tally, figures: Figures) -> list[str]:
    """What is still to come, in words; empty when nothing is. Too much is not waited for: the check will tell."""
    waits = [
        ("clean_clicks", figures.processed, tally.accepted_ids),
        ("rows in the table", figures.loaded, tally.accepted_ids),
        ("windows in the view", len(tally.windows & figures.view_windows), len(tally.windows)),
        ("late events", figures.letters[f"job/{COUNTING_JOB}", "Late"], tally.late),
    ]
    malformed_at = (
        (f"job/{COUNTING_JOB}", "Malformed"),
        (f"job/{CLEANING_JOB}", "Malformed"),
        (f"sink/{SINK}", "Unloadable"),
    )
    waits += [(f"dead letters of {stage[0]}", figures.letters[stage], tally.malformed) for stage in malformed_at]
    return [f"{name} {found:,} of {wanted:,}" for name, found, wanted in waits if found < wanted]
