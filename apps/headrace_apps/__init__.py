"""The applications that a plan runs: they read a document and know nothing of pipelines or backends."""
