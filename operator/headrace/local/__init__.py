"""The local backend: real parts as processes of this machine, behind the same plan as on Kubernetes."""
