"""The wire models: a manifest's exact shape, and the source of the CRDs and of the JSON Schema for editors."""
