package dev.headrace.flink.outcome;

import dev.headrace.flink.format.RecordFormatFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicTableFactory;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.config.TableConfigOptions;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The connector {@code headrace}: Flink's {@code kafka} source, all its options, and behind it the operators that give
 * each record its outcome ({@link HeadraceTableSource}).
 */
public final class HeadraceTableFactory implements DynamicTableSourceFactory {

    public static final String IDENTIFIER = "headrace";

    private final KafkaDynamicTableFactory kafka = new KafkaDynamicTableFactory();

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return kafka.requiredOptions();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        Set<ConfigOption<?>> options = new HashSet<>(kafka.optionalOptions());
        options.addAll(HeadraceOptions.ALL);
        return options;
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        Configuration options = Configuration.fromMap(context.getCatalogTable().getOptions());
        LateRule late = LateRule.of(options);
        String idField = options.getOptional(HeadraceOptions.ID_FIELD).orElse(null);
        Duration idWindow = options.getOptional(HeadraceOptions.ID_WINDOW).orElse(null);
        if ((idField == null) != (idWindow == null)) {
            throw new ValidationException("headrace.id.field and headrace.id.window are set together");
        }
        ResolvedSchema schema = context.getCatalogTable().getResolvedSchema();
        RowLayout layout = RowLayout.of(schema, idField);
        String partition = options.getOptional(HeadraceOptions.LATE_PARTITION).orElse(null);
        String compactedKey = options.getOptional(HeadraceOptions.COMPACTED_KEY).orElse(null);
        if (compactedKey != null && (idField != null || !late.isNone())) {
            throw new ValidationException("headrace.compacted.key goes without headrace.id.* and headrace.late.*");
        }
        if (!late.isNone() && layout.eventTime == RowLayout.NONE) {
            throw new ValidationException("headrace.late.rule needs a table with a WATERMARK");
        }
        String zone = context.getConfiguration().get(TableConfigOptions.LOCAL_TIME_ZONE);
        if (!late.isNone() && !zone.equals("UTC")) {
            // Flink aligns windows over TIMESTAMP_LTZ to the session's zone; LateRule counts in UTC.
            throw new ValidationException("the connector 'headrace' needs table.local-time-zone = UTC, not " + zone);
        }
        // Late and duplicate are decided by the row; the bytes go along only while a row can still turn out late.
        Map<String, String> kafkaOptions = kafkaOptions(context, !late.isNone());
        ScanTableSource source = (ScanTableSource) kafka.createDynamicTableSource(withOptions(context, kafkaOptions));
        return new HeadraceTableSource(
                source,
                layout,
                late,
                idWindow == null ? -1 : idWindow.toMillis(),
                late.isSession() && partition != null ? SessionKey.of(partition, schema) : null,
                compactedKey == null ? null : CompactedKey.of(compactedKey, schema, layout),
                context.getObjectIdentifier().asSummaryString());
    }

    private static Map<String, String> kafkaOptions(Context context, boolean keepRaw) {
        Map<String, String> options = new HashMap<>(context.getCatalogTable().getOptions());
        HeadraceOptions.ALL.forEach(option -> options.remove(option.key()));
        options.put(FactoryUtil.CONNECTOR.key(), KafkaDynamicTableFactory.IDENTIFIER);
        String format = options.getOrDefault("value.format", "");
        if (format.startsWith(RecordFormatFactory.FAMILY)) {
            options.put("value." + format + "." + RecordFormatFactory.KEEP_RAW.key(), Boolean.toString(keepRaw));
        }
        return options;
    }

    private static Context withOptions(Context context, Map<String, String> options) {
        return new FactoryUtil.DefaultDynamicTableContext(
                context.getObjectIdentifier(),
                context.getCatalogTable().copy(options),
                Map.of(),
                context.getConfiguration(),
                context.getClassLoader(),
                context.isTemporary());
    }
}
