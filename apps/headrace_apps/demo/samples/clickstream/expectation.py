"""What clicks must lead to: a recount of page views and sessions, the cleaned clicks, the table. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from headrace_apps.demo.check.expectation import Accepted, Expectation, Key, Letters, Output, Row, TableRows
from headrace_apps.demo.check.sessions import sessions_of
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.samples.clickstream import names
from headrace_apps.demo.samples.clickstream.names import GAP_MS, WINDOW_MS


def expect(accepted: Accepted) -> Expectation:
    """Every place where clicks arrive."""
    clicks = {i: plain(event) for i, event in accepted.events.items()}
    once: dict[Key, Row] = {(i,): click for i, click in clicks.items()}
    punctual = [plain(event) for event in accepted.punctual.values()]
    return Expectation(
        accepted=accepted,
        stored=accepted.events,
        outputs=[
            Output("every accepted click", names.CLEAN_CLICKS, ("event_id",), once),
            Output(
                "every page and window",
                names.PAGE_VIEWS,
                ("page", "window_start"),
                page_views(punctual),
                ignored=lambda row: bool(row["page"] == "/closing"),
            ),
            Output("every visit", names.SESSIONS, ("user_id", "window_start"), sessions(punctual)),
        ],
        letters=[
            Letters(f"job/{names.COUNTING_JOB}", "Late", "late"),
            Letters(f"job/{names.SESSIONS_JOB}", "Late", "late"),
            Letters(f"job/{names.COUNTING_JOB}", "Malformed", "malformed"),
            Letters(f"job/{names.SESSIONS_JOB}", "Malformed", "malformed"),
            Letters(f"job/{names.CLEANING_JOB}", "Malformed", "malformed"),
            Letters(f"sink/{names.SINK}", "Unloadable", "malformed"),
        ],
        tables=[TableRows(names.SINK, ("event_id",), ("event_id",), {k: _hashed(row) for k, row in once.items()})],
    )


def page_views(clicks: Iterable[Row]) -> dict[Key, Row]:
    """Views and visitors per page and tumbling window."""
    users: dict[tuple[str, int], list[str]] = defaultdict(list)
    for click in clicks:
        users[click["page"], click["occurred_at"] // WINDOW_MS * WINDOW_MS].append(click["user_id"])
    return {
        (page, start): {
            "page": page,
            "window_start": start,
            "window_end": start + WINDOW_MS,
            "views": len(visits),
            "visitors": len(set(visits)),
        }
        for (page, start), visits in users.items()
    }


def sessions(clicks: Iterable[Row]) -> dict[Key, Row]:
    """Clicks and different pages of each visit."""
    by_user: dict[str, list[Row]] = defaultdict(list)
    for click in clicks:
        by_user[click["user_id"]].append(click)
    found: dict[Key, Row] = {}
    for user, own in by_user.items():
        for start, end, visit in sessions_of(own, "occurred_at", GAP_MS):
            found[user, start] = {
                "user_id": user,
                "window_start": start,
                "window_end": end,
                "clicks": len(visit),
                "pages": len({click["page"] for click in visit}),
            }
    return found


def _hashed(click: Row) -> Row:
    return {**click, "user_id": hashlib.sha256(str(click["user_id"]).encode()).hexdigest()}
