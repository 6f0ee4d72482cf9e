package dev.headrace.flink.registry;

import dev.headrace.flink.format.Malformed;
import java.io.InterruptedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which schema ids are of one subject. What is so stays so and is kept; what is not may be registered at any moment
 * and is remembered for seconds only, so that a run of such records does not ask the registry for each.
 */
public final class SchemaIds {

    private static final long REMEMBERED_NANOS = 3_000_000_000L;
    private static final int MAX_REFUSED = 1_000;

    private final Registry registry;
    private final String subject;
    private final Set<Integer> accepted = new HashSet<>();
    private final Map<Integer, Refusal> refused = new HashMap<>();
    private int last;
    private boolean any;

    SchemaIds(Registry registry, String subject) {
        this.registry = registry;
        this.subject = subject;
    }

    /** Passes when the id is of a version of the subject. Waits while the registry is away. */
    public void check(int id) throws Malformed, InterruptedIOException {
        if (any && id == last) {
            return;
        }
        if (!accepted.contains(id)) {
            ask(id);
            accepted.add(id);
        }
        last = id;
        any = true;
    }

    /** The schema of an id that {@link #check} passed. */
    public RegisteredSchema schema(int id) throws Malformed, InterruptedIOException {
        Optional<RegisteredSchema> found = registry.schema(id);
        if (found.isEmpty()) {
            throw new Malformed(unknown(id));
        }
        return found.get();
    }

    private void ask(int id) throws Malformed, InterruptedIOException {
        Refusal known = refused.get(id);
        if (known != null && System.nanoTime() - known.until < 0) {
            throw new Malformed(known.why);
        }
        var subjects = registry.subjects(id);
        if (!subjects.contains(subject)) {
            String why = subjects.isEmpty()
                    ? unknown(id)
                    : "schema id " + id + " is of " + String.join(", ", subjects) + ", not of " + subject;
            if (refused.size() >= MAX_REFUSED) {
                refused.clear();
            }
            refused.put(id, new Refusal(why, System.nanoTime() + REMEMBERED_NANOS));
            throw new Malformed(why);
        }
        refused.remove(id);
    }

    private static String unknown(int id) {
        return "schema id " + id + " is not known to the registry";
    }

    private record Refusal(String why, long until) {}
}
