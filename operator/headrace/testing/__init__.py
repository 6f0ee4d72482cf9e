"""`headrace test`: fixtures beside a pipeline, run through its real jobs. fixtures → run → compare → report."""
