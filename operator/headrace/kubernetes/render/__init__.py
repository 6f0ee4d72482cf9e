"""`render(plan, platform, namespace) -> objects`: a plan as the Kubernetes objects that bring it about. Pure and total.

StreamPlatform → `resolve_platform` → (core) plan → `render`. `find_mismatches` says beforehand what would not fit.
One module per concern: topics, users, jobs, loaders, gateway, views, network, monitoring; `target`, `names`, `access`,
`documents` and `pods` are what they share. docs/reference/kubernetes.md lists what comes of what.
"""

from headrace.kubernetes.render.objects import render
from headrace.kubernetes.render.resolve import find_mismatches, resolve_platform
from headrace.kubernetes.render.target import Owner

__all__ = ["Owner", "find_mismatches", "render", "resolve_platform"]
