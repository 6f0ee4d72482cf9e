"""What traffic and check both know of manifests/samples/iot/pipeline.yaml; a unit test holds them together."""

from __future__ import annotations

PIPELINE = "iot"
READINGS = "readings"
DEVICE_AVERAGES = "device_averages"
ALERTS = "alerts"
AVERAGES_JOB, TOO_HOT_JOB, SILENT_JOB = "averages", "too-hot", "silent"
READINGS_SINK, ALERTS_SINK = "readings", "alerts"

SLIDE_MS, SIZE_MS = 5_000, 20_000
GAP_MS = 8_000
BOUND_CELSIUS = 80
OUT_OF_ORDERNESS_MS = 2_000
CLOSING = "closing-"
