package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;

/**
 * Avro's binary encoding, read off a record's bytes. Not Avro's own decoder: each way in which bytes can be wrong has
 * to be an outcome with a reason, nothing may be allocated by a length that the record only claims to have, and bytes
 * are not copied on the way.
 */
final class AvroBytes {

    /** Values of no bytes (of type null) that one record may claim to have; all others are bounded by its length. */
    private static final int MAX_EMPTY_VALUES = 100_000;

    final byte[] message;
    private int position;
    private int emptyValues;

    AvroBytes(byte[] message, int start) {
        this.message = message;
        this.position = start;
    }

    int position() {
        return position;
    }

    int remaining() {
        return message.length - position;
    }

    /** A zig-zag varint of at most 64 bits. */
    long readLong() throws Malformed {
        long bits = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (position >= message.length) {
                throw truncated();
            }
            byte b = message[position++];
            if (shift == 63 && (b & 0xfe) != 0) {
                break;
            }
            bits |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return bits >>> 1 ^ -(bits & 1);
            }
        }
        throw new Malformed(": is a number of more than 64 bits");
    }

    long readInt() throws Malformed {
        long value = readLong();
        if (value != (int) value) {
            throw new Malformed(": is a number of more than 32 bits");
        }
        return value;
    }

    boolean readBoolean() throws Malformed {
        need(1);
        byte b = message[position++];
        if (b != 0 && b != 1) {
            throw new Malformed(": is the byte " + (b & 0xff) + ", not true or false");
        }
        return b == 1;
    }

    float readFloat() throws Malformed {
        return Float.intBitsToFloat((int) readLittleEndian(Float.BYTES));
    }

    double readDouble() throws Malformed {
        return Double.longBitsToDouble(readLittleEndian(Double.BYTES));
    }

    private long readLittleEndian(int bytes) throws Malformed {
        need(bytes);
        long bits = 0;
        for (int i = bytes - 1; i >= 0; i--) {
            bits = bits << 8 | message[position + i] & 0xff;
        }
        position += bytes;
        return bits;
    }

    /** Passes over {@code length} bytes that are there; where they begin. */
    int take(long length) throws Malformed {
        if (length < 0) {
            throw new Malformed(": has a negative length");
        }
        need(length);
        int start = position;
        position += (int) length;
        return start;
    }

    /** An index below {@code count}, of a union's branch or an enum's symbol. */
    int readIndex(int count, String what) throws Malformed {
        long index = readLong();
        if (index < 0 || index >= count) {
            throw new Malformed(": has the " + what + " " + index + " of " + count);
        }
        return (int) index;
    }

    /**
     * The number of items in the next block of an array or a map, 0 after the last.
     *
     * @param smallest bytes that one item has at least
     */
    int readBlock(int smallest) throws Malformed {
        long count = readLong();
        if (count < 0) {
            if (count == Long.MIN_VALUE) {
                throw truncated();
            }
            count = -count;
            long size = readLong();
            if (size < 0 || size > remaining()) {
                throw truncated();
            }
        }
        if (smallest == 0) {
            if (count > MAX_EMPTY_VALUES - emptyValues) {
                throw new Malformed(": has more empty items than a record can");
            }
            emptyValues += (int) count;
        } else if (count > remaining() / smallest) {
            throw truncated();
        }
        return (int) count;
    }

    private void need(long bytes) throws Malformed {
        if (bytes > remaining()) {
            throw truncated();
        }
    }

    private static Malformed truncated() {
        return new Malformed(": the record's bytes end too early");
    }
}
