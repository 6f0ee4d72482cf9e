package dev.headrace.flink.json;

import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Utf8;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The field names of one kind of object: finds the column of a name, and sees a name that comes twice.
 *
 * <p>Every name gets a number once (columns first, then others as they turn up), so that a record needs one bit per
 * name and no set. Producers write fields in one order, so the name expected at a position is tried before the map.
 */
final class ObjectNames {

    /** Numbers kept for names that are no columns; a producer with random names must not fill the heap. */
    private static final int MAX_OTHERS = 512;

    private final String[] columns;
    private final Map<String, Integer> numbers = new HashMap<>();
    private String[] expected = new String[16];
    private int[] expectedNumbers = new int[16];
    private long[] seen = new long[2];
    private int position;

    ObjectNames(String... columns) {
        this.columns = columns;
        reset();
    }

    private void reset() {
        numbers.clear();
        Arrays.fill(expected, null);
        for (String column : columns) {
            // Interned as Jackson's are: equal names are then the same object.
            numbers.put(column.intern(), numbers.size());
        }
    }

    /** At the start of each object. */
    void begin() {
        if (numbers.size() > columns.length + MAX_OTHERS) {
            reset();
        }
        position = 0;
        for (int i = 0; i < seen.length; i++) {
            seen[i] = 0;
        }
    }

    /** The number of {@code name}: its column's index, or a number from the count of columns upward. */
    int next(String name) throws Malformed {
        int at = position++;
        if (at == expected.length) {
            expected = Arrays.copyOf(expected, at * 2);
            expectedNumbers = Arrays.copyOf(expectedNumbers, at * 2);
        }
        int number;
        if (expected[at] == name) {
            number = expectedNumbers[at];
        } else {
            Integer known = numbers.get(name);
            number = known != null ? known : numbers.size();
            if (known == null) {
                if (!Utf8.isPaired(name)) {
                    throw new Malformed("a field's name has half a surrogate pair, which is no character");
                }
                numbers.put(name, number);
            }
            expected[at] = name;
            expectedNumbers[at] = number;
        }
        int word = number >> 6;
        if (word >= seen.length) {
            seen = Arrays.copyOf(seen, Math.max(word + 1, seen.length * 2));
        }
        long bit = 1L << number;
        if ((seen[word] & bit) != 0) {
            throw new Malformed(name + ": is there twice");
        }
        seen[word] |= bit;
        return number;
    }

    boolean saw(int number) {
        return (seen[number >> 6] & (1L << number)) != 0;
    }
}
