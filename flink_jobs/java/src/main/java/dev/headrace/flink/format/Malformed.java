package dev.headrace.flink.format;

/** Why a record is not a row: one line that names the field. Without a stack trace: it is an outcome, not a fault. */
public final class Malformed extends Exception {

    private static final long serialVersionUID = 1L;
    private static final int MAX_CHARS = 1000;

    public Malformed(String message) {
        super(oneLine(message), null, false, false);
    }

    /** {@code inner} as seen from the field around it: {@code city: …} in {@code address} is {@code address.city: …}. */
    public Malformed inside(String field) {
        String message = getMessage();
        boolean attached = message.startsWith("[") || message.startsWith(":");
        return new Malformed(field + (attached ? "" : ".") + message);
    }

    private static String oneLine(String message) {
        String line = message.replaceAll("\\s+", " ").strip();
        return line.length() <= MAX_CHARS ? line : line.substring(0, MAX_CHARS - 1) + "…";
    }
}
