package dev.headrace.flink.json;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.RecordFormatFactory;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.format.RecordReaderFactory;
import dev.headrace.flink.registry.RegisteredSubject;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.types.logical.RowType;

/** The format {@code headrace-json}: plain JSON; with a registry also JSON behind the registry's prefix. */
public final class JsonFormatFactory extends RecordFormatFactory {

    @Override
    public String factoryIdentifier() {
        return FAMILY + "json";
    }

    @Override
    protected RecordReaderFactory records(ReadableConfig options, ColumnRules rules) {
        return new Records(rules, subject(options));
    }

    /** Reads JSON without a prefix, as it also stands in keys. */
    public static RecordReader plain(RowType columns, ColumnRules rules) {
        return new JsonRecordReader(columns, rules, null);
    }

    /** @param subject null without a registry */
    private record Records(ColumnRules rules, RegisteredSubject subject) implements RecordReaderFactory {

        @Override
        public RecordReader open(RowType columns) {
            return new JsonRecordReader(columns, rules, subject == null ? null : subject.open());
        }
    }
}
