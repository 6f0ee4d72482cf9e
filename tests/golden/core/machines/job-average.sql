-- job machines.average, parallelism 2
SET 'execution.checkpointing.interval' = '5000 ms';
SET 'execution.checkpointing.min-pause' = '2500 ms';
SET 'execution.checkpointing.timeout' = '10 min';
SET 'execution.checkpointing.dir' = '/state/checkpoints/machines.average';
SET 'execution.checkpointing.savepoint-dir' = '/state/savepoints/machines.average';
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

CREATE TEMPORARY TABLE `__source_readings` (
  `machine` STRING,
  `line` BIGINT,
  `seq` BIGINT,
  `at_ms` TIMESTAMP_LTZ(3),
  `temperature` DOUBLE,
  `tags` ARRAY<STRING>,
  `place` ROW<`hall` STRING, `day` DATE>,
  `limits` MAP<STRING, DOUBLE>,
  `extra` STRING,
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `at_ms` AS `at_ms` - INTERVAL '0 00:00:01.500' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'plant.readings.v1',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'machines.average',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-json',
  'value.headrace-json.registry' = 'http://127.0.0.1:8081',
  'value.headrace-json.subject' = 'plant.readings.v1-value',
  'value.headrace-json.required' = 'machine;line;seq;at_ms',
  'value.headrace-json.json' = 'extra',
  'value.headrace-json.epoch-millis' = 'at_ms',
  'headrace.late.rule' = 'window',
  'headrace.late.kind' = 'hop',
  'headrace.late.size' = '60000 ms',
  'headrace.late.slide' = '10000 ms',
  'headrace.late.offset' = '0 ms',
  'scan.watermark.idle-timeout' = '5000 ms',
  'headrace.id.field' = 'seq',
  'headrace.id.window' = '600000 ms'
);

CREATE TEMPORARY VIEW `readings` AS
SELECT `machine`, `line`, `seq`, `at_ms`, `temperature`, `tags`, `place`, `limits`, `extra`
FROM `__source_readings` WHERE `_outcome` = 'row';

CREATE TEMPORARY TABLE `__sink_averages` (
  `machine` STRING,
  `window_end` TIMESTAMP_LTZ(3),
  `average` DOUBLE
) WITH (
  'connector' = 'kafka',
  'topic' = 'machines.averages',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'value.json.encode.ignore-null-fields' = 'true',
  'value.fields-include' = 'ALL',
  'key.format' = 'raw',
  'key.fields' = 'machine'
);

CREATE TEMPORARY TABLE `__dead_letters` (
  `_key` BYTES,
  `_value` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka',
  'topic' = 'machines.dead-letters',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `__result` AS
SELECT window_end, machine, AVG(temperature) AS average
FROM TABLE(HOP(TABLE readings, DESCRIPTOR(at_ms), INTERVAL '10' SECOND, INTERVAL '1' MINUTE))
GROUP BY machine, window_start, window_end;

INSERT INTO `__sink_averages` (`machine`, `window_end`, `average`)
SELECT `machine`, `window_end`, `average`
FROM `__result`;

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/average' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('plant.readings.v1' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_readings` WHERE `_outcome` IN ('malformed');
