package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import dev.headrace.flink.format.Malformed;
import java.io.IOException;

/** What one field is in a row: how its values are read, what stands for none, and what is done at the message's end. */
abstract class FieldColumn {

    /** The column when the field is not there; null where Protobuf can tell that it is not. */
    abstract Object absent();

    /** What the column holds after one more value, behind its tag; {@code before} is what it held. */
    abstract Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed;

    /** Whether {@link #finish} has something to do. */
    boolean isUnfinished() {
        return false;
    }

    /** Flink's form of what {@link #read} gathered, null where that means no value. */
    Object finish(Object value) throws Malformed {
        return value;
    }
}
