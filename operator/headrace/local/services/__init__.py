"""The services of a pipeline on one machine, one module each: command line, files, ports and readiness."""
