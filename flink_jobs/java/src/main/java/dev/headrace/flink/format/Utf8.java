package dev.headrace.flink.format;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.table.data.StringData;

/** A record's bytes before they are parsed: UTF-8 as RFC 3629 has it, and whether anything is escaped. */
public final class Utf8 {

    /** Not UTF-8. Jackson lets overlong forms and encoded surrogates pass, so it cannot be left to it. */
    public static final int INVALID = 0;

    public static final int PLAIN = 1;
    /** There is a backslash, so a string may spell what UTF-8 cannot: half a surrogate pair. */
    public static final int ESCAPED = 2;

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final long HIGH_BITS = 0x8080808080808080L;
    private static final long LOW_BITS = 0x0101010101010101L;
    private static final long BACKSLASHES = 0x5c5c5c5c5c5c5c5cL;

    private Utf8() {}

    public static int inspect(byte[] bytes) {
        long high = 0;
        long backslash = 0;
        int i = 0;
        // Eight bytes at a time: most events are ASCII without escapes throughout.
        for (; i + Long.BYTES <= bytes.length; i += Long.BYTES) {
            long word = (long) LONGS.get(bytes, i);
            long difference = word ^ BACKSLASHES;
            high |= word;
            // The well-known test for a zero byte; it may err only beside a byte that is not ASCII, to the safe side.
            backslash |= (difference - LOW_BITS) & ~difference;
        }
        for (; i < bytes.length; i++) {
            high |= bytes[i];
            backslash |= bytes[i] == '\\' ? HIGH_BITS : 0;
        }
        if ((high & HIGH_BITS) != 0 && !decodes(bytes)) {
            return INVALID;
        }
        return (backslash & HIGH_BITS) == 0 ? PLAIN : ESCAPED;
    }

    /** Whether every surrogate is one of a pair. */
    public static boolean isPaired(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                return false;
            }
        }
        return true;
    }

    /** The text of a slice, its bytes taken as they are; null when they are not UTF-8. */
    public static StringData text(byte[] message, int start, int length) {
        byte[] bytes = new byte[length];
        int high = 0;
        for (int i = 0; i < length; i++) {
            byte b = message[start + i];
            bytes[i] = b;
            high |= b;
        }
        return high < 0 && !decodes(bytes) ? null : StringData.fromBytes(bytes);
    }

    /** The text of bytes that nobody else will change; null when they are not UTF-8. */
    public static StringData text(byte[] own) {
        int high = 0;
        for (byte b : own) {
            high |= b;
        }
        return high < 0 && !decodes(own) ? null : StringData.fromBytes(own);
    }

    private static boolean decodes(byte[] bytes) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }
}
