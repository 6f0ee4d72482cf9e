"""The command line: parses arguments, delegates to the core and the local backend, words what comes back."""
