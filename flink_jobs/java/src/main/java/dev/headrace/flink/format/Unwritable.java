package dev.headrace.flink.format;

/** A row that the output's schema cannot hold. It ends the job, whose SQL has to be corrected: nothing is left out. */
public final class Unwritable extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public Unwritable(String message) {
        super(message);
    }

    /** At a field: {@code path} is as in the format's options. */
    public static Unwritable at(String path, String why) {
        return new Unwritable("the output's field " + path.substring(Math.min(1, path.length())) + " " + why);
    }
}
