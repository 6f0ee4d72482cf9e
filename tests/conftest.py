"""For every test: a busy machine is no failure, so Hypothesis has no deadline per example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("headrace", deadline=None, print_blob=True)
settings.load_profile("headrace")
