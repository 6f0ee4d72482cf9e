import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.JsonForm;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.connector.format.ProjectableDecodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.runtime.connector.source.ScanRuntimeProviderContext;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.table.types.utils.TypeConversions;

/**
 * Reads records with a format as a job would, without a cluster: {@code FormatProbe TABLE.json [ROUNDS]}.
 *
 * <p>TABLE.json: {@code {"format": identifier, "columns": "ROW<…>", "options": {…}}}. Records come on standard input,
 * each a length of four bytes (-1: no value) and its bytes; per record one line of JSON goes out, the row with
 * {@code _outcome}, {@code _error} and {@code _raw}. With ROUNDS the records are read so often and only times go out.
 */
public final class FormatProbe {

    public static void main(String[] arguments) throws Exception {
        JsonNode table = new ObjectMapper().readTree(Files.readString(Path.of(arguments[0])));
        Map<String, String> options = new HashMap<>();
        table.path("options").fields().forEachRemaining(e -> options.put(e.getKey(), e.getValue().asText()));
        String columns = table.path("columns").asText();
        String all = columns.substring(0, columns.length() - 1) + ", `_outcome` STRING, `_error` STRING, `_raw` BYTES>";
        ClassLoader loader = FormatProbe.class.getClassLoader();
        LogicalType type = LogicalTypeParser.parse(all, loader);
        DataType physical = TypeConversions.fromLogicalToDataType(type);
        DeserializationFormatFactory factory =
                FactoryUtil.discoverFactory(
                        loader, DeserializationFormatFactory.class, table.path("format").asText());
        @SuppressWarnings("unchecked")
        ProjectableDecodingFormat<DeserializationSchema<RowData>> format =
                (ProjectableDecodingFormat<DeserializationSchema<RowData>>)
                        (Object) factory.createDecodingFormat(null, Configuration.fromMap(options));
        int[][] projections =
                IntStream.range(0, type.getChildren().size()).mapToObj(i -> new int[] {i}).toArray(int[][]::new);
        DeserializationSchema<RowData> schema =
                format.createRuntimeDecoder(ScanRuntimeProviderContext.INSTANCE, physical, projections);
        schema.open(null);
        if (arguments.length > 1) {
            measure(schema, records(), Integer.parseInt(arguments[1]));
            return;
        }
        FieldPaths json = FieldPaths.parse(options.getOrDefault("json", ""));
        JsonForm form = JsonForm.of(type, "", json);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (byte[] message : records()) {
            out.println(form.text(schema.deserialize(message)));
        }
        out.flush();
    }

    private static List<byte[]> records() throws IOException {
        List<byte[]> records = new ArrayList<>();
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException e) {
                return records;
            }
            records.add(length < 0 ? null : in.readNBytes(length));
        }
    }

    private static void measure(DeserializationSchema<RowData> schema, List<byte[]> records, int rounds)
            throws IOException {
        for (int round = 0; round < rounds; round++) {
            long start = System.nanoTime();
            for (byte[] message : records) {
                schema.deserialize(message);
            }
            System.out.printf("%.3f us%n", (System.nanoTime() - start) / 1e3 / records.size());
        }
    }
}
