package dev.headrace.flink.format;

import dev.headrace.flink.registry.RegisteredSubject;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * What the formats {@code headrace-json}, {@code headrace-avro} and {@code headrace-protobuf} have in common: one Kafka
 * value becomes one row, whatever it holds.
 *
 * <p>First station of a job: Kafka bytes → <b>rows</b> → outcomes → SQL. Fields are named by paths: names joined by
 * {@code /}, each percent-encoded, {@code *} for the items of an array or the values of a map; paths are joined by
 * {@code ;}. For a plain field the path is its name.
 */
public abstract class RecordFormatFactory implements DeserializationFormatFactory {

    /** What the identifiers of all formats of this family begin with. */
    public static final String FAMILY = "headrace-";

    public static final ConfigOption<String> REQUIRED =
            paths("required", "Paths of the fields that must be present and not null.");
    public static final ConfigOption<String> JSON =
            paths("json", "Paths of STRING columns that hold the JSON text of any value.");
    public static final ConfigOption<String> EPOCH_MILLIS =
            paths("epoch-millis", "Paths of TIMESTAMP_LTZ columns written as epoch milliseconds.");
    public static final ConfigOption<String> REGISTRY =
            text("registry", "Base URL of the schema registry's Confluent API.");
    public static final ConfigOption<String> SUBJECT =
            text("subject", "The subject to whose versions the schema ids must belong.");
    public static final ConfigOption<Boolean> KEEP_RAW =
            ConfigOptions.key("keep-raw")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether good rows carry their bytes in _raw too. Set by the connector `headrace`, which"
                                    + " needs them only where a row can still turn out late.");

    protected abstract RecordReaderFactory records(ReadableConfig options, ColumnRules rules);

    /** The format's own options, beside those that all have. */
    protected Set<ConfigOption<?>> ownOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        Set<ConfigOption<?>> options =
                new LinkedHashSet<>(Set.of(REQUIRED, JSON, EPOCH_MILLIS, REGISTRY, SUBJECT, KEEP_RAW));
        options.addAll(ownOptions());
        return options;
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new RecordFormat(factoryIdentifier(), records(options, rules(options)), options.get(KEEP_RAW));
    }

    protected static ColumnRules rules(ReadableConfig options) {
        return new ColumnRules(
                FieldPaths.parse(options.get(REQUIRED)),
                FieldPaths.parse(options.get(JSON)),
                FieldPaths.parse(options.get(EPOCH_MILLIS)));
    }

    /** The subject of the table's records; null where neither of the two options is set. */
    protected static RegisteredSubject subject(ReadableConfig options) {
        String url = options.getOptional(REGISTRY).orElse(null);
        String subject = options.getOptional(SUBJECT).orElse(null);
        if ((url == null) != (subject == null)) {
            throw new ValidationException("the format's options registry and subject are set together");
        }
        return url == null ? null : new RegisteredSubject(url, subject);
    }

    /** The value of an option that this format cannot do without. */
    protected <T> T demand(T value, String name) {
        if (value == null) {
            throw new ValidationException(factoryIdentifier() + " needs the option " + name);
        }
        return value;
    }

    protected static ConfigOption<String> text(String key, String description) {
        return ConfigOptions.key(key).stringType().noDefaultValue().withDescription(description);
    }

    private static ConfigOption<String> paths(String key, String description) {
        return ConfigOptions.key(key).stringType().defaultValue("").withDescription(description);
    }
}
