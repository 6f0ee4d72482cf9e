"""Headrace: one StreamPipeline manifest becomes a running streaming pipeline."""
