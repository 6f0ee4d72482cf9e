-- job iot.averages, parallelism 1
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.min-pause' = '250 ms';
SET 'execution.checkpointing.timeout' = '10 min';
SET 'execution.checkpointing.dir' = '/state/checkpoints/iot.averages';
SET 'execution.checkpointing.savepoint-dir' = '/state/savepoints/iot.averages';
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
  `reading_id` STRING,
  `device_id` STRING,
  `measured_at` TIMESTAMP_LTZ(3),
  `celsius` DOUBLE,
  `humidity` DOUBLE,
  `state` STRING,
  `device` ROW<`model` STRING, `firmware` STRING>,
  `tags` MAP<STRING, STRING>,
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `measured_at` AS `measured_at` - INTERVAL '0 00:00:02.000' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'iot.readings',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'iot.averages',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-avro',
  'value.headrace-avro.registry' = 'http://127.0.0.1:8081',
  'value.headrace-avro.subject' = 'iot.readings-value',
  'value.headrace-avro.schema' = '{"fields":[{"name":"reading_id","type":"string"},{"name":"device_id","type":"string"},{"name":"measured_at","type":{"logicalType":"timestamp-millis","type":"long"}},{"name":"celsius","type":"double"},{"default":null,"name":"humidity","type":["null","double"]},{"name":"state","type":{"name":"State","symbols":["OK","DEGRADED","FAULTY"],"type":"enum"}},{"name":"device","type":{"fields":[{"name":"model","type":"string"},{"default":null,"name":"firmware","type":["null","string"]}],"name":"Device","type":"record"}},{"default":{},"name":"tags","type":{"type":"map","values":"string"}}],"name":"Reading","namespace":"headrace.iot","type":"record"}',
  'value.headrace-avro.required' = 'reading_id;device_id;measured_at;celsius;state;device;device/model;tags',
  'headrace.late.rule' = 'window',
  'headrace.late.kind' = 'hop',
  'headrace.late.size' = '20000 ms',
  'headrace.late.slide' = '5000 ms',
  'headrace.late.offset' = '0 ms',
  'scan.watermark.idle-timeout' = '300000 ms',
  'headrace.id.field' = 'reading_id',
  'headrace.id.window' = '3600000 ms'
);

CREATE TEMPORARY VIEW `readings` AS
SELECT `reading_id`, `device_id`, `measured_at`, `celsius`, `humidity`, `state`, `device`, `tags`
FROM `__source_readings` WHERE `_outcome` = 'row';

CREATE TEMPORARY TABLE `__sink_device_averages` (
  `device_id` STRING,
  `window_start` TIMESTAMP_LTZ(3),
  `window_end` TIMESTAMP_LTZ(3),
  `readings` BIGINT,
  `celsius` DOUBLE,
  PRIMARY KEY (`device_id`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'iot.device_averages',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'iot.averages.device_averages',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'value.format' = 'headrace-avro',
  'value.headrace-avro.registry' = 'http://127.0.0.1:8081',
  'value.headrace-avro.subject' = 'iot.device_averages-value',
  'value.headrace-avro.schema' = '{"fields":[{"name":"device_id","type":"string"},{"name":"window_start","type":{"logicalType":"timestamp-millis","type":"long"}},{"name":"window_end","type":{"logicalType":"timestamp-millis","type":"long"}},{"name":"readings","type":"long"},{"name":"celsius","type":"double"}],"name":"DeviceAverage","namespace":"headrace.iot","type":"record"}',
  'value.headrace-avro.required' = 'device_id;window_start;window_end;readings;celsius',
  'value.fields-include' = 'ALL',
  'key.format' = 'raw'
);

CREATE TEMPORARY TABLE `__dead_letters` (
  `_key` BYTES,
  `_value` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka',
  'topic' = 'iot.dead-letters',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'iot.averages.dead-letters',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `__result` AS
SELECT device_id, window_start, window_end, COUNT(*) AS readings, AVG(celsius) AS celsius
FROM TABLE(HOP(TABLE readings, DESCRIPTOR(measured_at), INTERVAL '5' SECOND, INTERVAL '20' SECOND))
GROUP BY device_id, window_start, window_end;

INSERT INTO `__sink_device_averages` (`device_id`, `window_start`, `window_end`, `readings`, `celsius`)
SELECT `device_id`, `window_start`, `window_end`, `readings`, `celsius`
FROM `__result`;

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/averages' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('iot.readings' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_readings` WHERE `_outcome` IN ('malformed', 'late');
