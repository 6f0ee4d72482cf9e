"""The gateway: events in over HTTP, acknowledged by the broker; events and views out.

Reads one `headrace.gateway/v1` document and knows nothing of pipelines. The way of a request:

- in:   `ingest` ← `bodies` (bound, decompress, split) ← `strict_json` ← `validation` + `rows` → `producer`
- out:  `events` and `stream` ← `reading` (a bounded pool of consumers) ← `cursor`
- view: `views.routes` ← `views.store` ← `views.follower` (a thread that follows the compacted topic)

`app.create_app` joins the parts; `__main__` builds them from the command line; `server` runs them.
"""
