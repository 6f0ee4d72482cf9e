"""What traffic and check know of manifests/samples/transactions/pipeline.yaml; a unit test holds it against that."""

from __future__ import annotations

PIPELINE = "transactions"
PAYMENTS = "payments"
ACCOUNTS = "accounts"
ENRICHED = "enriched_payments"
FAST_CARDS = "fast_cards"
ENRICH_JOB, VELOCITY_JOB = "enrich", "velocity"
SINK = "enriched-payments"

WITHIN_MS = 60_000
AT_MOST = 5
OUT_OF_ORDERNESS_MS = 2_000
DEFAULT_CHANNEL = "ONLINE"
CLOSING = "closing-"
