"""Processes that never outlive their run: tethered, supervised, stopped in order, with bounded logs."""
