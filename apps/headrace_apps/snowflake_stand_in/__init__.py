"""The Snowflake stand-in: a server that runs in an environment of its own (see server.py)."""
