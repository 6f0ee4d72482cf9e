package dev.headrace.flink.protobuf;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.Serializable;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.table.api.ValidationException;

/** The topic's message, as a table's options carry it: compiled by the plan, so that nothing compiles in a job. */
record ProtobufMessage(String descriptors, String name, String messageIndexes) implements Serializable {

    /** Raises a ValidationException when the options do not hold together. */
    Descriptor descriptor() {
        Map<String, FileDescriptor> files = new LinkedHashMap<>();
        try {
            for (FileDescriptorProto proto :
                    FileDescriptorSet.parseFrom(Base64.getDecoder().decode(descriptors)).getFileList()) {
                FileDescriptor[] imports =
                        proto.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
                files.put(proto.getName(), FileDescriptor.buildFrom(proto, imports));
            }
        } catch (InvalidProtocolBufferException | DescriptorValidationException | RuntimeException e) {
            throw new ValidationException("headrace-protobuf: the descriptors are none, or not imports first", e);
        }
        for (FileDescriptor file : files.values()) {
            for (Descriptor message : file.getMessageTypes()) {
                Descriptor found = find(message);
                if (found != null) {
                    return found;
                }
            }
        }
        throw new ValidationException("headrace-protobuf: the descriptors have no message " + name);
    }

    private Descriptor find(Descriptor message) {
        if (message.getFullName().equals(name)) {
            return message;
        }
        for (Descriptor nested : message.getNestedTypes()) {
            Descriptor found = find(nested);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    int[] indexes() {
        String[] parts = messageIndexes.split(";");
        int[] indexes = new int[parts.length];
        for (int i = 0; i < parts.length; i++) {
            try {
                indexes[i] = Integer.parseInt(parts[i].strip());
            } catch (NumberFormatException e) {
                throw new ValidationException("headrace-protobuf: message-indexes are numbers, joined by ';'");
            }
        }
        return indexes;
    }
}
