package dev.headrace.flink.outcome;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsReadingMetadata;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/**
 * Flink's Kafka source, then one operator that decides late and duplicate.
 *
 * <p>With parallelism 1 the operator is chained to the source. With more, rows are exchanged first: by id where rows are
 * deduplicated, else by key where rows can be late. After an exchange every instance has seen the same watermarks as
 * the operators behind it, even when one instance's partitions were idle; deciding before it could let a row pass that
 * a window then drops without a trace. Projection is not pushed down: see {@code RecordFormat}.
 */
final class HeadraceTableSource implements ScanTableSource, SupportsReadingMetadata, SupportsWatermarkPushDown {

    private final ScanTableSource kafka;
    private final RowLayout layout;
    private final LateRule late;
    private final long idWindow;

    /** Whose sessions rows belong to, of the rule session; else null. */
    private final SessionKey sessions;

    /** How tombstones are read, of a compacted input; else null. */
    private final CompactedKey compacted;

    private final String table;

    HeadraceTableSource(
            ScanTableSource kafka,
            RowLayout layout,
            LateRule late,
            long idWindow,
            SessionKey sessions,
            CompactedKey compacted,
            String table) {
        this.kafka = kafka;
        this.layout = layout;
        this.late = late;
        this.idWindow = idWindow;
        this.sessions = sessions;
        this.compacted = compacted;
        this.table = table;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        DataStreamScanProvider source = (DataStreamScanProvider) kafka.getScanRuntimeProvider(context);
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(ProviderContext provider, StreamExecutionEnvironment env) {
                DataStream<RowData> rows = source.produceDataStream(provider, env);
                if (rows.getTransformation().getUid() == null) {
                    rows.getTransformation().setUid(table + ":source");
                }
                return sessions == null ? decided(rows, late) : decided(bySessions(rows), late.decided());
            }

            @Override
            public boolean isBounded() {
                return source.isBounded();
            }

            @Override
            public Optional<Integer> getParallelism() {
                return source.getParallelism();
            }
        };
    }

    private DataStream<RowData> bySessions(DataStream<RowData> rows) {
        KeyedStream<RowData, String> keyed =
                rows.getParallelism() == 1
                        ? DataStreamUtils.reinterpretAsKeyedStream(rows, sessions, Types.STRING)
                        : rows.keyBy(sessions, Types.STRING);
        SingleOutputStreamOperator<RowData> decided =
                keyed.transform("Sessions", rows.getType(), new SessionOperator(layout, late));
        decided.uid(table + ":sessions");
        decided.setParallelism(rows.getParallelism());
        return decided;
    }

    private DataStream<RowData> decided(DataStream<RowData> rows, LateRule late) {
        TypeInformation<RowData> type = rows.getType();
        boolean alone = rows.getParallelism() == 1;
        SingleOutputStreamOperator<RowData> decided;
        if (layout.id != RowLayout.NONE) {
            IdSelector id = new IdSelector(layout);
            // One instance has every key already: no exchange, and the operator is chained.
            KeyedStream<RowData, Integer> keyed =
                    alone
                            ? DataStreamUtils.reinterpretAsKeyedStream(rows, id, Types.INT)
                            : rows.keyBy(id, Types.INT);
            decided = keyed.transform("Outcomes", type, new DeduplicatingOperator(layout, late, idWindow));
        } else {
            DataStream<RowData> exchanged =
                    alone || late.isNone() || sessions != null ? rows : rows.partitionCustom(new KeyPartitioner(), new KeySelection(layout));
            decided = exchanged.transform("Outcomes", type, new OutcomeOperator(layout, late, compacted));
        }
        decided.uid(table + ":outcomes");
        decided.setParallelism(rows.getParallelism());
        return decided;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return kafka.getChangelogMode();
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        return ((SupportsReadingMetadata) kafka).listReadableMetadata();
    }

    @Override
    public void applyReadableMetadata(List<String> metadataKeys, DataType producedDataType) {
        ((SupportsReadingMetadata) kafka).applyReadableMetadata(metadataKeys, producedDataType);
    }

    @Override
    public boolean supportsMetadataProjection() {
        return ((SupportsReadingMetadata) kafka).supportsMetadataProjection();
    }

    @Override
    public void applyWatermark(WatermarkStrategy<RowData> strategy) {
        ((SupportsWatermarkPushDown) kafka).applyWatermark(strategy);
    }

    @Override
    public DynamicTableSource copy() {
        return new HeadraceTableSource((ScanTableSource) kafka.copy(), layout, late, idWindow, sessions, compacted, table);
    }

    @Override
    public String asSummaryString() {
        return "Headrace source";
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof HeadraceTableSource)) {
            return false;
        }
        HeadraceTableSource that = (HeadraceTableSource) other;
        return kafka.equals(that.kafka)
                && layout.equals(that.layout)
                && late.equals(that.late)
                && idWindow == that.idWindow
                && Objects.equals(sessions, that.sessions)
                && Objects.equals(compacted, that.compacted)
                && table.equals(that.table);
    }

    @Override
    public int hashCode() {
        return Objects.hash(kafka, layout, late, idWindow, sessions, compacted, table);
    }
}
