package dev.headrace.flink.registry;

import java.util.List;

/**
 * A schema as the registry has it.
 *
 * @param references the schemas it builds on, each after those that it needs itself
 */
public record RegisteredSchema(String text, List<String> references) {}
