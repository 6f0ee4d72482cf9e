"""Headrace on Kubernetes, beside `headrace.local`, above the core; pure so far.

`crd`: what the API server is told of our resources. `render`: a plan as Kubernetes objects.
"""
