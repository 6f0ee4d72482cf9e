package dev.headrace.flink.outcome;

import java.time.Duration;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;

/** The connector's own table options (docs/reference/contracts.md, "The job document"). */
final class HeadraceOptions {

    static final String PREFIX = "headrace.";

    static final ConfigOption<LateRule.Rule> LATE_RULE =
            ConfigOptions.key(PREFIX + "late.rule")
                    .enumType(LateRule.Rule.class)
                    .defaultValue(LateRule.Rule.NONE)
                    .withDescription("What makes a row late: nothing, its own time, or its last window's end.");
    static final ConfigOption<LateRule.Kind> LATE_KIND =
            ConfigOptions.key(PREFIX + "late.kind")
                    .enumType(LateRule.Kind.class)
                    .noDefaultValue()
                    .withDescription("The window function, for the rule `window`.");
    static final ConfigOption<Duration> LATE_SIZE =
            ConfigOptions.key(PREFIX + "late.size")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("The window's (for cumulate: largest) size; for session the gap.");
    static final ConfigOption<Duration> LATE_SLIDE =
            ConfigOptions.key(PREFIX + "late.slide")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("The slide of hop; the step of cumulate.");
    static final ConfigOption<Duration> LATE_OFFSET =
            ConfigOptions.key(PREFIX + "late.offset")
                    .durationType()
                    .defaultValue(Duration.ZERO)
                    .withDescription("By how much windows are moved from the epoch.");
    static final ConfigOption<String> LATE_PARTITION =
            ConfigOptions.key(PREFIX + "late.partition")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "For session: the fields of the window's PARTITION BY, joined by `;`. With them a row that"
                                    + " an open session of its key still takes is not late.");
    static final ConfigOption<String> COMPACTED_KEY =
            ConfigOptions.key(PREFIX + "compacted.key")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The key fields of a compacted topic, joined by `;`: a tombstone is then a row of them.");
    static final ConfigOption<String> ID_FIELD =
            ConfigOptions.key(PREFIX + "id.field")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The column that says which rows are the same event.");
    static final ConfigOption<Duration> ID_WINDOW =
            ConfigOptions.key(PREFIX + "id.window")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("How far apart in event time two rows of one id are still the same event.");

    static final Set<ConfigOption<?>> ALL =
            Set.of(
                    LATE_RULE,
                    LATE_KIND,
                    LATE_SIZE,
                    LATE_SLIDE,
                    LATE_OFFSET,
                    LATE_PARTITION,
                    COMPACTED_KEY,
                    ID_FIELD,
                    ID_WINDOW);

    private HeadraceOptions() {}
}
