"""What traffic and check both know of manifests/samples/clickstream/pipeline.yaml: its names and its times.

A unit test holds these figures against the manifest, so that an edit there cannot silently weaken the check.
"""

from __future__ import annotations

PIPELINE = "clickstream"
CLICKS = "clicks"
CLEAN_CLICKS = "clean_clicks"
PAGE_VIEWS = "page_views"
SESSIONS = "sessions"
COUNTING_JOB = "page-views"
SESSIONS_JOB = "sessions"
CLEANING_JOB = "clean-clicks"
SINK = "raw-clicks"

WINDOW_MS = 10_000
GAP_MS = 10_000
OUT_OF_ORDERNESS_MS = 2_000

FIELDS = ("event_id", "user_id", "page", "referrer", "amount", "occurred_at")
