"""Jobs as Flink SQL: read what the core must know off the user's SELECT, and render the job document."""
