package dev.headrace.flink.outcome;

import java.util.Arrays;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.util.MathUtils;

/** Rows of one key stay in order, on one instance; rows without a key have no order to keep and take turns. */
final class KeyPartitioner implements Partitioner<byte[]> {

    private static final long serialVersionUID = 1L;

    private int turn;

    @Override
    public int partition(byte[] key, int instances) {
        if (key.length == 0) {
            turn = (turn + 1) % instances;
            return turn;
        }
        return MathUtils.murmurHash(Arrays.hashCode(key)) % instances;
    }
}
