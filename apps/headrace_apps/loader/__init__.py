"""The loader: a Kafka topic into a Snowflake table, exactly once. `loader.Loader.run` is its flow, in one screen.

`rows` and `transforms` say what a record means; `layout`, `evolution` and `statements` what the table is and the SQL;
`sink` loads a batch and its offsets in one transaction; `source` reads the topic from the offsets that the table has.
"""
