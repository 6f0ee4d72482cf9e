package dev.headrace.flink.registry;

import dev.headrace.flink.format.Malformed;

/** The registry's prefix of a value: a zero byte and the schema's id, four bytes with the highest first. */
public final class WireFormat {

    public static final byte MAGIC = 0;
    public static final int LENGTH = 5;

    private WireFormat() {}

    /** The schema id of a value. */
    public static int id(byte[] message) throws Malformed {
        if (message.length < LENGTH || message[0] != MAGIC) {
            throw new Malformed("has no registry prefix (a zero byte and a schema id of four bytes)");
        }
        return (message[1] & 0xff) << 24 | (message[2] & 0xff) << 16 | (message[3] & 0xff) << 8 | message[4] & 0xff;
    }

    /** Writes the prefix to the start of {@code message}. */
    public static void put(int id, byte[] message) {
        message[0] = MAGIC;
        message[1] = (byte) (id >>> 24);
        message[2] = (byte) (id >>> 16);
        message[3] = (byte) (id >>> 8);
        message[4] = (byte) id;
    }
}
