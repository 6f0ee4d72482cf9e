package dev.headrace.flink.json;

import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The format {@code headrace-json}: one Kafka value becomes one row, whatever it holds.
 *
 * <p>First station of a job: Kafka bytes → <b>rows</b> → outcomes → SQL. Fields are named by paths: names joined by
 * {@code /}, each percent-encoded, {@code *} for the items of an array or the values of a map; paths are joined by
 * {@code ;}. For a plain field the path is its name.
 */
public final class HeadraceJsonFormatFactory implements DeserializationFormatFactory {

    public static final String IDENTIFIER = "headrace-json";

    public static final ConfigOption<String> REQUIRED =
            paths("required", "Paths of the fields that must be present and not null.");
    public static final ConfigOption<String> JSON =
            paths("json", "Paths of STRING columns that hold the JSON text of any value.");
    public static final ConfigOption<String> EPOCH_MILLIS =
            paths("epoch-millis", "Paths of TIMESTAMP_LTZ columns written as epoch milliseconds.");
    public static final ConfigOption<Boolean> KEEP_RAW =
            ConfigOptions.key("keep-raw")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether good rows carry their bytes in _raw too. Set by the connector `headrace`, which"
                                    + " needs them only where a row can still turn out late.");

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(REQUIRED, JSON, EPOCH_MILLIS, KEEP_RAW);
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new HeadraceJsonFormat(
                FieldPaths.parse(options.get(REQUIRED)),
                FieldPaths.parse(options.get(JSON)),
                FieldPaths.parse(options.get(EPOCH_MILLIS)),
                options.get(KEEP_RAW));
    }

    private static ConfigOption<String> paths(String key, String description) {
        return ConfigOptions.key(key).stringType().defaultValue("").withDescription(description);
    }
}
