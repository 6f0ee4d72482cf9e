"""The CustomResourceDefinitions, from the wire models: `python -m headrace.kubernetes.crd` writes them.

wire model → `structural` (its JSON Schema by Kubernetes' rules) + `rules` (lists, CEL) + `status` → `definition`.
What the API server accepts is what the models parse, as far as a schema can say it; tests hold the two together.
"""

from headrace.kubernetes.crd.definition import definitions

__all__ = ["definitions"]
