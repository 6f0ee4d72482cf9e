-- job clickstream.clean-clicks, parallelism 1
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.min-pause' = '250 ms';
SET 'execution.checkpointing.timeout' = '10 min';
SET 'execution.checkpointing.dir' = '/state/checkpoints/clickstream.clean-clicks';
SET 'execution.checkpointing.savepoint-dir' = '/state/savepoints/clickstream.clean-clicks';
SET 'execution.checkpointing.externalized-checkpoint-retention' = 'RETAIN_ON_CANCELLATION';
SET 'execution.checkpointing.num-retained' = '3';
SET 'pipeline.max-parallelism' = '128';
SET 'pipeline.object-reuse' = 'true';
SET 'restart-strategy.type' = 'exponential-delay';
SET 'restart-strategy.exponential-delay.initial-backoff' = '200 ms';
SET 'restart-strategy.exponential-delay.max-backoff' = '10 s';
SET 'table.local-time-zone' = 'UTC';
SET 'state.backend.type' = 'rocksdb';
SET 'execution.checkpointing.incremental' = 'true';

CREATE TEMPORARY TABLE `__source_clicks` (
  `event_id` STRING,
  `user_id` STRING,
  `page` STRING,
  `referrer` STRING,
  `amount` DOUBLE,
  `occurred_at` TIMESTAMP_LTZ(3),
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `occurred_at` AS `occurred_at` - INTERVAL '0 00:00:02.000' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'clickstream.clicks',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'clickstream.clean-clicks',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-json',
  'value.headrace-json.registry' = 'http://127.0.0.1:8081',
  'value.headrace-json.subject' = 'clickstream.clicks-value',
  'value.headrace-json.required' = 'event_id;user_id;page;occurred_at',
  'headrace.late.rule' = 'none',
  'scan.watermark.idle-timeout' = '300000 ms',
  'headrace.id.field' = 'event_id',
  'headrace.id.window' = '3600000 ms'
);

CREATE TEMPORARY VIEW `clicks` AS
SELECT `event_id`, `user_id`, `page`, `referrer`, `amount`, `occurred_at`
FROM `__source_clicks` WHERE `_outcome` = 'row';

CREATE TEMPORARY TABLE `__sink_clean_clicks` (
  `user_id` STRING,
  `event_id` STRING,
  `page` STRING,
  `referrer` STRING,
  `amount` DOUBLE,
  `occurred_at` TIMESTAMP_LTZ(3)
) WITH (
  'connector' = 'kafka',
  'topic' = 'clickstream.clean_clicks',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'clickstream.clean-clicks.clean_clicks',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'value.json.encode.ignore-null-fields' = 'true',
  'value.fields-include' = 'ALL',
  'key.format' = 'raw',
  'key.fields' = 'user_id'
);

CREATE TEMPORARY TABLE `__dead_letters` (
  `_key` BYTES,
  `_value` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka',
  'topic' = 'clickstream.dead-letters',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'clickstream.clean-clicks.dead-letters',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `__result` AS
SELECT event_id, user_id, page, referrer, amount, occurred_at FROM clicks;

INSERT INTO `__sink_clean_clicks` (`user_id`, `event_id`, `page`, `referrer`, `amount`, `occurred_at`)
SELECT `user_id`, `event_id`, `page`, `referrer`, `amount`, `occurred_at`
FROM `__result`;

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/clean-clicks' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('clickstream.clicks' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_clicks` WHERE `_outcome` IN ('malformed', 'late');
