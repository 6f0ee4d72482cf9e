"""Runs a job document `headrace.job/v1` on Flink.

Knows nothing of pipelines or backends and imports nothing of `headrace`: it lives in the Flink environment, with the
standard library and PyFlink alone. Flow: `document` (parse) → `submit` (PyFlink) → Flink; `build` makes the jar with
the record format and the outcome operators that a document's SQL names (`java/`).
"""
