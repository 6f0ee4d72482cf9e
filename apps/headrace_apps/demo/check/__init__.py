"""The check: what was sent against what stock clients find at the end of the pipeline, by event id and by window.

A program of its own, `python -m headrace_apps.demo.check`: `fetch` reads (Kafka consumer, SQL, HTTP), `expectation` and
`compare` are pure, `report` prints; what must be there is each sample's `expectation`. It uses nothing of the gateway,
the jobs, the loader or the traffic but the ledger's reader and names, so an error there cannot hide itself
(docs/reference/checker.md).
"""
