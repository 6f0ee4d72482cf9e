package dev.headrace.flink.format;

import java.io.Serializable;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;

/** A set of field paths, as the format's options spell them ({@link RecordFormatFactory}). */
public final class FieldPaths implements Serializable {

    private static final long serialVersionUID = 1L;

    private final HashSet<String> paths;

    private FieldPaths(Set<String> paths) {
        this.paths = new HashSet<>(paths);
    }

    public static FieldPaths parse(String option) {
        Set<String> paths = new HashSet<>();
        for (String path : option.split(";")) {
            if (path.isBlank()) {
                continue;
            }
            StringBuilder canonical = new StringBuilder();
            for (String step : path.split("/")) {
                // Decoded and encoded again, so that any way of escaping a name means the same path.
                String name = step.equals("*") ? "*" : encode(URLDecoder.decode(step, StandardCharsets.UTF_8));
                canonical.append('/').append(name);
            }
            paths.add(canonical.toString());
        }
        return new FieldPaths(paths);
    }

    /** Paths as {@link #field} and {@link #items} make them. */
    public static FieldPaths of(Set<String> paths) {
        return new FieldPaths(paths);
    }

    public boolean contains(String path) {
        return paths.contains(path);
    }

    /** The path of field {@code name} of the object at {@code parent} (the root is the empty string). */
    public static String field(String parent, String name) {
        return parent + '/' + encode(name);
    }

    /** The path of the items or values of the array or map at {@code parent}. */
    public static String items(String parent) {
        return parent + "/*";
    }

    private static String encode(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("*", "%2A");
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FieldPaths && paths.equals(((FieldPaths) other).paths);
    }

    @Override
    public int hashCode() {
        return paths.hashCode();
    }
}
