package dev.headrace.flink.format;

import dev.headrace.flink.outcome.Outcome;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;

/**
 * One value of Kafka into one row: the declared columns, and {@code _outcome}, {@code _error}, {@code _raw}.
 *
 * <p>The frame of all formats; a {@link RecordReader} reads the value. It never throws for what a record holds and never leaves a NULL where a value was wrong: a record that is not a
 * row is an outcome of its own, with its bytes and a line that says why.
 */
final class RecordDeserializer implements DeserializationSchema<RowData> {

    private static final long serialVersionUID = 1L;
    private static final int OUTCOME = -1;
    private static final int ERROR = -2;
    private static final int RAW = -3;
    private static final Malformed TOMBSTONE = new Malformed("the record has no value (a tombstone)");

    private final RowType physical;
    private final TypeInformation<RowData> produced;
    private final RecordReaderFactory records;
    private final boolean keepRaw;

    /** Where each produced field comes from: an index among the data columns, or one of the constants. */
    private final int[] origins;

    private final RowType columns;

    private transient RecordReader reader;

    /** True when the produced row begins with all data columns in order, so that it can be filled in place. */
    private transient boolean inPlace;

    RecordDeserializer(
            RowType physical,
            int[] projection,
            TypeInformation<RowData> produced,
            RecordReaderFactory records,
            boolean keepRaw) {
        this.physical = physical;
        this.produced = produced;
        this.records = records;
        this.keepRaw = keepRaw;
        List<RowType.RowField> data = new ArrayList<>();
        int[] originOf = new int[physical.getFieldCount()];
        for (int i = 0; i < originOf.length; i++) {
            RowType.RowField field = physical.getFields().get(i);
            originOf[i] = special(field.getName());
            if (originOf[i] == 0) {
                originOf[i] = data.size();
                data.add(field);
            }
        }
        this.columns = new RowType(data);
        // A table that its schema does not fit is refused while the job is planned. Nothing is asked of the registry.
        records.open(columns);
        this.origins = new int[projection.length];
        for (int i = 0; i < projection.length; i++) {
            origins[i] = originOf[projection[i]];
        }
    }

    private static int special(String name) {
        switch (name) {
            case Outcome.OUTCOME_COLUMN:
                return OUTCOME;
            case Outcome.ERROR_COLUMN:
                return ERROR;
            case Outcome.RAW_COLUMN:
                return RAW;
            default:
                return 0;
        }
    }

    @Override
    public void open(InitializationContext context) {
        reader = records.open(columns);
        inPlace = origins.length >= columns.getFieldCount();
        for (int i = 0; inPlace && i < origins.length; i++) {
            inPlace = i < columns.getFieldCount() ? origins[i] == i : origins[i] < 0;
        }
    }

    @Override
    public RowData deserialize(byte[] message) throws IOException {
        GenericRowData row = new GenericRowData(origins.length);
        GenericRowData data = inPlace ? row : new GenericRowData(columns.getFieldCount());
        StringData outcome = Outcome.ROW;
        StringData error = null;
        try {
            if (message == null) {
                throw TOMBSTONE;
            }
            reader.read(message, data);
        } catch (Malformed malformed) {
            // Nothing of a half-read record is shown.
            data = inPlace ? row : new GenericRowData(columns.getFieldCount());
            for (int i = 0; i < data.getArity(); i++) {
                data.setField(i, null);
            }
            outcome = Outcome.MALFORMED;
            error = StringData.fromString(malformed.getMessage());
        }
        byte[] raw = keepRaw || error != null ? message : null;
        for (int i = inPlace ? columns.getFieldCount() : 0; i < origins.length; i++) {
            int origin = origins[i];
            row.setField(
                    i,
                    origin == OUTCOME ? outcome : origin == ERROR ? error : origin == RAW ? raw : data.getField(origin));
        }
        return row;
    }

    @Override
    public boolean isEndOfStream(RowData nextElement) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return produced;
    }
}
