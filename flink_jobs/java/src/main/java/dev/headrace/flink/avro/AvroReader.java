package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;

/** Reads one value of a writer's schema into Flink's internal form of the column's type; null for Avro's null. */
interface AvroReader {

    Object read(AvroBytes in) throws Malformed;
}
