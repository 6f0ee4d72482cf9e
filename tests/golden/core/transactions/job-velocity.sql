-- job transactions.velocity, parallelism 1
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.min-pause' = '250 ms';
SET 'execution.checkpointing.timeout' = '10 min';
SET 'execution.checkpointing.dir' = '/state/checkpoints/transactions.velocity';
SET 'execution.checkpointing.savepoint-dir' = '/state/savepoints/transactions.velocity';
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

CREATE TEMPORARY TABLE `__source_payments` (
  `payment_id` STRING,
  `account_id` STRING,
  `paid_at` TIMESTAMP_LTZ(3),
  `amount` ROW<`currency` STRING, `cents` BIGINT>,
  `channel` STRING,
  `card` ROW<`token` STRING, `brand` STRING>,
  `transfer` ROW<`iban` STRING>,
  `labels` MAP<STRING, STRING>,
  `received_at` TIMESTAMP_LTZ(3),
  `segment` STRING,
  `_outcome` STRING,
  `_error` STRING,
  `_raw` BYTES,
  `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL,
  `_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR `paid_at` AS `paid_at` - INTERVAL '0 00:00:02.000' DAY(3) TO SECOND(3)
) WITH (
  'connector' = 'headrace',
  'topic' = 'transactions.payments',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.group.id' = 'transactions.velocity',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'headrace-protobuf',
  'value.headrace-protobuf.registry' = 'http://127.0.0.1:8081',
  'value.headrace-protobuf.subject' = 'transactions.payments-value',
  'value.headrace-protobuf.definition' = 'syntax = "proto3";
package headrace.transactions;
import "google/protobuf/timestamp.proto";

message Payment {
  string payment_id = 1;
  string account_id = 2;
  google.protobuf.Timestamp paid_at = 3;
  Money amount = 4;
  Channel channel = 5;
  oneof method {
    Card card = 6;
    Transfer transfer = 7;
  }
  map<string, string> labels = 8;
  google.protobuf.Timestamp received_at = 9;   // these two are filled in at the gateway
  optional string segment = 10;
}
message Money { string currency = 1; int64 cents = 2; }
message Card { string token = 1; string brand = 2; }
message Transfer { string iban = 1; }
enum Channel { UNKNOWN = 0; ONLINE = 1; TERMINAL = 2; STANDING_ORDER = 3; }
',
  'value.headrace-protobuf.descriptors' = 'Cv8BCh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvEg9nb29nbGUucHJvdG9idWYiOwoJVGltZXN0YW1wEhgKB3NlY29uZHMYASABKANSB3NlY29uZHMSFAoFbmFub3MYAiABKAVSBW5hbm9zQoUBChNjb20uZ29vZ2xlLnByb3RvYnVmQg5UaW1lc3RhbXBQcm90b1ABWjJnb29nbGUuZ29sYW5nLm9yZy9wcm90b2J1Zi90eXBlcy9rbm93bi90aW1lc3RhbXBwYvgBAaICA0dQQqoCHkdvb2dsZS5Qcm90b2J1Zi5XZWxsS25vd25UeXBlc2IGcHJvdG8zCvUGCgxzY2hlbWEucHJvdG8SFWhlYWRyYWNlLnRyYW5zYWN0aW9ucxofZ29vZ2xlL3Byb3RvYnVmL3RpbWVzdGFtcC5wcm90byLPBAoHUGF5bWVudBIdCgpwYXltZW50X2lkGAEgASgJUglwYXltZW50SWQSHQoKYWNjb3VudF9pZBgCIAEoCVIJYWNjb3VudElkEjMKB3BhaWRfYXQYAyABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wUgZwYWlkQXQSNAoGYW1vdW50GAQgASgLMhwuaGVhZHJhY2UudHJhbnNhY3Rpb25zLk1vbmV5UgZhbW91bnQSOAoHY2hhbm5lbBgFIAEoDjIeLmhlYWRyYWNlLnRyYW5zYWN0aW9ucy5DaGFubmVsUgdjaGFubmVsEjEKBGNhcmQYBiABKAsyGy5oZWFkcmFjZS50cmFuc2FjdGlvbnMuQ2FyZEgAUgRjYXJkEj0KCHRyYW5zZmVyGAcgASgLMh8uaGVhZHJhY2UudHJhbnNhY3Rpb25zLlRyYW5zZmVySABSCHRyYW5zZmVyEkIKBmxhYmVscxgIIAMoCzIqLmhlYWRyYWNlLnRyYW5zYWN0aW9ucy5QYXltZW50LkxhYmVsc0VudHJ5UgZsYWJlbHMSOwoLcmVjZWl2ZWRfYXQYCSABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wUgpyZWNlaXZlZEF0Eh0KB3NlZ21lbnQYCiABKAlIAVIHc2VnbWVudIgBARo5CgtMYWJlbHNFbnRyeRIQCgNrZXkYASABKAlSA2tleRIUCgV2YWx1ZRgCIAEoCVIFdmFsdWU6AjgBQggKBm1ldGhvZEIKCghfc2VnbWVudCI5CgVNb25leRIaCghjdXJyZW5jeRgBIAEoCVIIY3VycmVuY3kSFAoFY2VudHMYAiABKANSBWNlbnRzIjIKBENhcmQSFAoFdG9rZW4YASABKAlSBXRva2VuEhQKBWJyYW5kGAIgASgJUgVicmFuZCIeCghUcmFuc2ZlchISCgRpYmFuGAEgASgJUgRpYmFuKkQKB0NoYW5uZWwSCwoHVU5LTk9XThAAEgoKBk9OTElORRABEgwKCFRFUk1JTkFMEAISEgoOU1RBTkRJTkdfT1JERVIQA2IGcHJvdG8z',
  'value.headrace-protobuf.message' = 'headrace.transactions.Payment',
  'value.headrace-protobuf.message-indexes' = '0',
  'value.headrace-protobuf.required' = 'payment_id;account_id;paid_at;amount/currency;amount/cents;channel;card/token;card/brand;transfer/iban;labels',
  'headrace.late.rule' = 'row',
  'scan.watermark.idle-timeout' = '300000 ms',
  'headrace.id.field' = 'payment_id',
  'headrace.id.window' = '3600000 ms'
);

CREATE TEMPORARY VIEW `payments` AS
SELECT `payment_id`, `account_id`, `paid_at`, `amount`, `channel`, `card`, `transfer`, `labels`, `received_at`, `segment`
FROM `__source_payments` WHERE `_outcome` = 'row';

CREATE TEMPORARY TABLE `__sink_fast_cards` (
  `card` STRING,
  `paid_at` TIMESTAMP_LTZ(3),
  `payments` BIGINT,
  PRIMARY KEY (`card`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'transactions.fast_cards',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'transactions.velocity.fast_cards',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'value.format' = 'headrace-protobuf',
  'value.headrace-protobuf.registry' = 'http://127.0.0.1:8081',
  'value.headrace-protobuf.subject' = 'transactions.fast_cards-value',
  'value.headrace-protobuf.definition' = 'syntax = "proto3";
package headrace.transactions;
import "google/protobuf/timestamp.proto";

message FastCard {
  string card = 1;
  google.protobuf.Timestamp paid_at = 2;
  int64 payments = 3;                          // within the minute that ends with this one
}
',
  'value.headrace-protobuf.descriptors' = 'Cv8BCh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvEg9nb29nbGUucHJvdG9idWYiOwoJVGltZXN0YW1wEhgKB3NlY29uZHMYASABKANSB3NlY29uZHMSFAoFbmFub3MYAiABKAVSBW5hbm9zQoUBChNjb20uZ29vZ2xlLnByb3RvYnVmQg5UaW1lc3RhbXBQcm90b1ABWjJnb29nbGUuZ29sYW5nLm9yZy9wcm90b2J1Zi90eXBlcy9rbm93bi90aW1lc3RhbXBwYvgBAaICA0dQQqoCHkdvb2dsZS5Qcm90b2J1Zi5XZWxsS25vd25UeXBlc2IGcHJvdG8zCr8BCgxzY2hlbWEucHJvdG8SFWhlYWRyYWNlLnRyYW5zYWN0aW9ucxofZ29vZ2xlL3Byb3RvYnVmL3RpbWVzdGFtcC5wcm90byJvCghGYXN0Q2FyZBISCgRjYXJkGAEgASgJUgRjYXJkEjMKB3BhaWRfYXQYAiABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wUgZwYWlkQXQSGgoIcGF5bWVudHMYAyABKANSCHBheW1lbnRzYgZwcm90bzM=',
  'value.headrace-protobuf.message' = 'headrace.transactions.FastCard',
  'value.headrace-protobuf.message-indexes' = '0',
  'value.headrace-protobuf.required' = 'card;payments',
  'value.fields-include' = 'ALL',
  'key.format' = 'raw'
);

CREATE TEMPORARY TABLE `__dead_letters` (
  `_key` BYTES,
  `_value` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka',
  'topic' = 'transactions.dead-letters',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'transactions.velocity.dead-letters',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'lz4',
  'properties.acks' = 'all',
  'key.format' = 'raw',
  'key.fields' = '_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TEMPORARY VIEW `__result` AS
SELECT card, paid_at, payments
FROM (SELECT card, paid_at, COUNT(*) OVER (PARTITION BY card ORDER BY paid_at
             RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) AS payments
      FROM (SELECT p.card.token AS card, p.paid_at FROM payments AS p WHERE p.card.token IS NOT NULL))
WHERE payments > 5;

INSERT INTO `__sink_fast_cards` (`card`, `paid_at`, `payments`)
SELECT `card`, `paid_at`, `payments`
FROM `__result`;

INSERT INTO `__dead_letters`
SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[
  'headrace.dlq.stage', CAST('job/velocity' AS BYTES),
  'headrace.dlq.reason', CAST(CASE `_outcome` WHEN 'late' THEN 'Late' ELSE 'Malformed' END AS BYTES),
  'headrace.dlq.error', CAST(COALESCE(`_error`, '') AS BYTES),
  'headrace.dlq.topic', CAST('transactions.payments' AS BYTES),
  'headrace.dlq.partition', CAST(CAST(`_partition` AS STRING) AS BYTES),
  'headrace.dlq.offset', CAST(CAST(`_offset` AS STRING) AS BYTES),
  'headrace.dlq.attempt', CAST(COALESCE(CAST(`_headers`['headrace.attempt'] AS STRING), '1') AS BYTES),
  'headrace.dlq.time', CAST(DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS BYTES)])
FROM `__source_payments` WHERE `_outcome` IN ('malformed', 'late');
