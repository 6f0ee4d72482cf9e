package dev.headrace.flink.registry;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A schema registry that speaks Confluent's API. It answers, or it is away and the caller waits: a job must neither
 * call a record malformed nor end because a registry restarts.
 *
 * <p>The JDK's old HTTP client on purpose: it has no threads of its own, which would outlive the job.
 */
public final class Registry {

    private static final Logger LOG = LoggerFactory.getLogger(Registry.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int TIMEOUT_MS = 5_000;
    private static final long FIRST_WAIT_MS = 100;
    private static final long LONGEST_WAIT_MS = 3_000;
    private static final int NOT_FOUND = 404;

    private final String url;

    Registry(String url) {
        this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
    }

    /** The schema of that id with all it references; empty when the registry has none. */
    Optional<RegisteredSchema> schema(int id) throws InterruptedIOException {
        Optional<JsonNode> found = ask("/schemas/ids/" + id, null);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        Map<String, String> references = new LinkedHashMap<>();
        collect(found.get(), references, new HashSet<>());
        return Optional.of(
                new RegisteredSchema(found.get().path("schema").asText(), List.copyOf(references.values())));
    }

    /** The subjects that have a version of that id, deleted ones too: their records are still there. */
    List<String> subjects(int id) throws InterruptedIOException {
        List<String> subjects = new ArrayList<>();
        ask("/schemas/ids/" + id + "/versions?deleted=true", null)
                .ifPresent(versions -> versions.forEach(v -> subjects.add(v.path("subject").asText())));
        return subjects;
    }

    /** The id that the schema has under the subject; empty when it is not registered there. */
    Optional<Integer> id(String subject, String schema, String type) throws InterruptedIOException {
        ObjectNode body = JSON.createObjectNode();
        body.put("schema", schema);
        body.put("schemaType", type);
        return ask("/subjects/" + encode(subject), body.toString()).map(node -> node.path("id").asInt());
    }

    private void collect(JsonNode schema, Map<String, String> found, Set<String> asked) throws InterruptedIOException {
        for (JsonNode reference : schema.path("references")) {
            String path = "/subjects/" + encode(reference.path("subject").asText()) + "/versions/"
                    + reference.path("version").asInt() + "?deleted=true";
            if (!asked.add(path)) {
                continue;
            }
            Optional<JsonNode> version = ask(path, null);
            if (version.isPresent()) {
                collect(version.get(), found, asked);
                found.put(path, version.get().path("schema").asText());
            }
        }
    }

    /** The answer; empty for 404. Waits, however long, while there is no answer, and says so once. */
    private Optional<JsonNode> ask(String path, String body) throws InterruptedIOException {
        boolean said = false;
        for (long wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
            try {
                Optional<JsonNode> answer = answer(path, body);
                if (said) {
                    LOG.info("The schema registry {} answers again.", url);
                }
                return answer;
            } catch (IOException e) {
                if (Thread.currentThread().isInterrupted()) {
                    throw interrupted();
                }
                if (!said) {
                    LOG.warn("Waiting for the schema registry: {}{}: {}", url, path, e.toString());
                    said = true;
                }
            }
            try {
                Thread.sleep(wait);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw interrupted();
            }
        }
    }

    private Optional<JsonNode> answer(String path, String body) throws IOException {
        // Never by a proxy of the JVM's environment: a registry is a part of the platform.
        HttpURLConnection connection = (HttpURLConnection) new URL(url + path).openConnection(Proxy.NO_PROXY);
        connection.setConnectTimeout(TIMEOUT_MS);
        connection.setReadTimeout(TIMEOUT_MS);
        connection.setRequestProperty("Accept", "application/vnd.schemaregistry.v1+json, application/json");
        if (body != null) {
            connection.setRequestMethod("POST");
            connection.setRequestProperty("Content-Type", "application/vnd.schemaregistry.v1+json");
            connection.setDoOutput(true);
            try (OutputStream out = connection.getOutputStream()) {
                out.write(body.getBytes(StandardCharsets.UTF_8));
            }
        }
        int status = connection.getResponseCode();
        if (status == HttpURLConnection.HTTP_OK) {
            try (InputStream in = connection.getInputStream()) {
                return Optional.of(JSON.readTree(in));
            }
        }
        try (InputStream in = connection.getErrorStream()) {
            byte[] error = in == null ? new byte[0] : in.readAllBytes();
            // Only the registry's own 404 says that it has no such schema; one of a gateway before it says nothing.
            if (status == NOT_FOUND && isRegistryError(error)) {
                return Optional.empty();
            }
        }
        throw new IOException("HTTP " + status);
    }

    private static boolean isRegistryError(byte[] error) {
        try {
            return JSON.readTree(error).has("error_code");
        } catch (IOException e) {
            return false;
        }
    }

    private static InterruptedIOException interrupted() {
        return new InterruptedIOException("interrupted while waiting for the schema registry");
    }

    private static String encode(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
