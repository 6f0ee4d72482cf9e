"""The demo: traffic for the clickstream sample, a ledger of what was sent, and the check that the numbers are right.

`python -m headrace_apps.demo` runs everything (docs/how-to/run-the-demo.md). Traffic and check are programs of
their own, too, and meet only in the ledger: `headrace_apps.demo.traffic` writes it, `headrace_apps.demo.check`
reads it. No module here is used by the parts that the demo shows.
"""
