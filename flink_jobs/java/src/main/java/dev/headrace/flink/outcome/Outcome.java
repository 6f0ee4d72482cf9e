package dev.headrace.flink.outcome;

import org.apache.flink.table.data.StringData;

/** The columns and words that the format writes, the operators decide by and the job's SQL filters by. */
public final class Outcome {

    public static final String OUTCOME_COLUMN = "_outcome";
    public static final String ERROR_COLUMN = "_error";
    public static final String RAW_COLUMN = "_raw";
    public static final String KEY_COLUMN = "_key";

    public static final StringData ROW = word("row");
    public static final StringData MALFORMED = word("malformed");
    public static final StringData DELETED = word("deleted");
    public static final StringData LATE = word("late");
    public static final StringData DUPLICATE = word("duplicate");

    private Outcome() {}

    private static StringData word(String text) {
        StringData word = StringData.fromString(text);
        // One object serves all rows and threads: encode it now, so that nobody writes to it later.
        word.toBytes();
        return word;
    }
}
