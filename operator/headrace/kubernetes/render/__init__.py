"""`render(plan, …) -> objects`: a plan as the Kubernetes objects that bring it about. Pure and total."""
