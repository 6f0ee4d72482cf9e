"""What became a dead letter, and what becomes of it: `headrace dlq list|peek|export|redrive|discard`."""
