package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import dev.headrace.flink.format.Malformed;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/** Where in its file a message is declared: zig-zag varints, how many and then each; one 0 for the first message. */
final class MessageIndexes {

    /** Nesting that no file has; a record's claim must not fill the heap. */
    private static final int MAX = 64;

    private final List<Integer> expected;

    MessageIndexes(int... indexes) {
        expected = new ArrayList<>();
        for (int index : indexes) {
            expected.add(index);
        }
    }

    /** Passes over the indexes; they must be the expected ones. */
    void check(CodedInputStream in) throws IOException, Malformed {
        int count = in.readSInt32();
        List<Integer> found = new ArrayList<>();
        if (count == 0) {
            found.add(0);
        } else if (count < 0 || count > MAX) {
            throw new Malformed("has " + count + " message indexes");
        }
        for (int i = 0; i < count; i++) {
            found.add(in.readSInt32());
        }
        if (!found.equals(expected)) {
            throw new Malformed("is the message " + found + " of the schema's file, not the topic's " + expected);
        }
    }

    byte[] bytes() {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            CodedOutputStream out = CodedOutputStream.newInstance(bytes);
            if (expected.equals(List.of(0))) {
                out.writeSInt32NoTag(0);
            } else {
                out.writeSInt32NoTag(expected.size());
                for (int index : expected) {
                    out.writeSInt32NoTag(index);
                }
            }
            out.flush();
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
