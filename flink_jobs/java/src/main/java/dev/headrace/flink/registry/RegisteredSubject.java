package dev.headrace.flink.registry;

import dev.headrace.flink.format.Unwritable;
import java.io.InterruptedIOException;
import java.io.Serializable;

/** A subject of a registry, as a table's options name it. */
public record RegisteredSubject(String url, String subject) implements Serializable {

    /** For readers: which schema ids are this subject's. */
    public SchemaIds open() {
        return new SchemaIds(new Registry(url), subject);
    }

    /**
     * For writers: the id of a schema of this subject, which the plan registered before the job.
     *
     * @param type the registry's name of the format: AVRO, PROTOBUF
     */
    public int id(String schema, String type) throws InterruptedIOException {
        return new Registry(url)
                .id(subject, schema, type)
                .orElseThrow(() -> new Unwritable("the output's schema is not registered under " + subject));
    }
}
