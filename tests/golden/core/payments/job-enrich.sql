-- job payments.enrich, parallelism 1
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.min-pause' = '250 ms';
SET 'execution.checkpointing.timeout' = '10 min';
SET 'execution.checkpointing.dir' = '/state/checkpoints/payments.enrich';
SET 'execution.checkpointing.savepoint-dir' = '/state/savepoints/payments.enrich';
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

CREATE TEMPORARY TABLE `__source_transactions` (
  `transaction_id` STRING,
  `account_id` STRING,
  `cents` BIGINT,
  `booked_at` TIMESTAMP_LTZ(3),
  `segment` STRING,
  `card` ROW<`last4` STRING>,
  `iban` STRING,
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `booked_at` AS `booked_at` - INTERVAL '0 00:00:02.000' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'payments.transactions',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'payments.enrich',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-protobuf',
  'value.headrace-protobuf.registry' = 'http://127.0.0.1:8081',
  'value.headrace-protobuf.subject' = 'payments.transactions-value',
  'value.headrace-protobuf.definition' = 'syntax = "proto3";
package bank;
import "google/protobuf/timestamp.proto";
message Transaction {
  string transaction_id = 1;
  string account_id = 2;
  int64 cents = 3;
  google.protobuf.Timestamp booked_at = 4;
  string segment = 5;
  oneof method { Card card = 6; string iban = 7; }
}
message Card { string last4 = 1; }
',
  'value.headrace-protobuf.descriptors' = 'Cv8BCh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvEg9nb29nbGUucHJvdG9idWYiOwoJVGltZXN0YW1wEhgKB3NlY29uZHMYASABKANSB3NlY29uZHMSFAoFbmFub3MYAiABKAVSBW5hbm9zQoUBChNjb20uZ29vZ2xlLnByb3RvYnVmQg5UaW1lc3RhbXBQcm90b1ABWjJnb29nbGUuZ29sYW5nLm9yZy9wcm90b2J1Zi90eXBlcy9rbm93bi90aW1lc3RhbXBwYvgBAaICA0dQQqoCHkdvb2dsZS5Qcm90b2J1Zi5XZWxsS25vd25UeXBlc2IGcHJvdG8zCtwCCgxzY2hlbWEucHJvdG8SBGJhbmsaH2dvb2dsZS9wcm90b2J1Zi90aW1lc3RhbXAucHJvdG8i/gEKC1RyYW5zYWN0aW9uEiUKDnRyYW5zYWN0aW9uX2lkGAEgASgJUg10cmFuc2FjdGlvbklkEh0KCmFjY291bnRfaWQYAiABKAlSCWFjY291bnRJZBIUCgVjZW50cxgDIAEoA1IFY2VudHMSNwoJYm9va2VkX2F0GAQgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcFIIYm9va2VkQXQSGAoHc2VnbWVudBgFIAEoCVIHc2VnbWVudBIgCgRjYXJkGAYgASgLMgouYmFuay5DYXJkSABSBGNhcmQSFAoEaWJhbhgHIAEoCUgAUgRpYmFuQggKBm1ldGhvZCIcCgRDYXJkEhQKBWxhc3Q0GAEgASgJUgVsYXN0NGIGcHJvdG8z',
  'value.headrace-protobuf.message' = 'bank.Transaction',
  'value.headrace-protobuf.message-indexes' = '0',
  'value.headrace-protobuf.required' = 'transaction_id;account_id;cents;booked_at;segment;card/last4',
  'headrace.late.rule' = 'row',
  'scan.watermark.idle-timeout' = '30000 ms',
  'headrace.id.field' = 'transaction_id',
  'headrace.id.window' = '3600000 ms'
);

CREATE TEMPORARY TABLE `__source_accounts` (
  `account_id` STRING,
  `segment` STRING,
  `updated_at` TIMESTAMP_LTZ(3),
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `updated_at` AS `updated_at` - INTERVAL '0 00:00:05.000' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'payments.accounts',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'payments.enrich',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-json',
  'value.headrace-json.registry' = 'http://127.0.0.1:8081',
  'value.headrace-json.subject' = 'payments.accounts-value',
  'value.headrace-json.required' = 'account_id;segment;updated_at',
  'headrace.late.rule' = 'none',
  'scan.watermark.idle-timeout' = '30000 ms',
  'headrace.compacted.key' = 'account_id'
);

CREATE TEMPORARY VIEW `transactions` AS
SELECT `transaction_id`, `account_id`, `cents`, `booked_at`, `segment`, `card`, `iban`
FROM `__source_transactions` WHERE `_outcome` = 'row';

CREATE TEMPORARY VIEW `accounts` AS
SELECT `account_id`, `segment`, `updated_at`
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY `account_id` ORDER BY `updated_at` DESC) AS `_newest`
  FROM `__source_accounts` WHERE `_outcome` IN ('row', 'deleted')
) WHERE `_newest` = 1;

CREATE TEMPORARY TABLE `__sink_enriched` (
  `account_id` STRING,
  `transaction_id` STRING,
  `cents` BIGINT,
  `segment` STRING,
  `booked_at` TIMESTAMP_LTZ(3)
) WITH (
  'connector' = 'kafka',
  'topic' = 'payments.enriched',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'payments.enrich.enriched',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'value.format' = 'headrace-avro',
  'value.headrace-avro.registry' = 'http://127.0.0.1:8081',
  'value.headrace-avro.subject' = 'payments.enriched-value',
  'value.headrace-avro.schema' = '{"fields":[{"name":"transaction_id","type":"string"},{"name":"account_id","type":"string"},{"name":"cents","type":"long"},{"default":null,"name":"segment","type":["null","string"]},{"name":"booked_at","type":{"logicalType":"timestamp-millis","type":"long"}}],"name":"Enriched","namespace":"bank","type":"record"}',
  'value.headrace-avro.required' = 'transaction_id;account_id;cents;booked_at',
  'value.fields-include' = 'ALL',
  'key.format' = 'raw',
  'key.fields' = 'account_id'
);

CREATE TEMPORARY TABLE `__dead_letters` (
  `_key` BYTES,
  `_value` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka',
  'topic' = 'payments.dead-letters',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'payments.enrich.dead-letters',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `__result` AS
SELECT t.transaction_id, t.account_id, t.cents, a.segment, t.booked_at
FROM transactions AS t
LEFT JOIN accounts FOR SYSTEM_TIME AS OF t.booked_at AS a ON t.account_id = a.account_id;

INSERT INTO `__sink_enriched` (`account_id`, `transaction_id`, `cents`, `segment`, `booked_at`)
SELECT `account_id`, `transaction_id`, `cents`, `segment`, `booked_at`
FROM `__result`;

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/enrich' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('payments.transactions' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_transactions` WHERE `_outcome` IN ('malformed', 'late');

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/enrich' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('payments.accounts' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_accounts` WHERE `_outcome` IN ('malformed', 'late');
