"""Order, memory, and what may be committed, whatever order work ends in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_apps.runtime.lanes import BatchSize, Lane, Lanes, Room
from headrace_apps.runtime.progress import Span
from headrace_apps.runtime.records import OVERHEAD_BYTES, Record, size_of


def record(partition: int, offset: int, size: int = 0) -> Record:
    return Record(partition, offset, None, b"x" * size, None, 0)


def lanes_of(positions: dict[int, int], *, joined: bool = False, records: int = 3, room: int = 1000) -> Lanes:
    lanes = Lanes(BatchSize(records=records, size=10**9), Room(records=room, size=10**9), joined=joined)
    lanes.assign(positions)
    return lanes


def put(lanes: Lanes, taken: Record, now: float = 0.0) -> None:
    lane = lanes.of(taken.partition)
    assert lane is not None
    lane.put(taken, now)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 4)),  # the next record, after a gap
        st.tuples(st.just("end"), st.integers(0, 2), st.integers(0, 3)),  # the end, behind markers
        st.tuples(st.just("begin"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("finish"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("take away"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("give back"), st.integers(0, 2), st.just(0)),
    ),
    max_size=80,
)


@settings(max_examples=200)
@given(steps, st.booleans())
def test_no_position_passes_unfinished_work_and_order_holds(  # noqa: PLR0912 - a branch per event
    made: list[tuple[str, int, int]], joined: bool
) -> None:
    lanes = lanes_of({0: 0, 1: 0, 2: 0}, joined=joined)
    read = dict.fromkeys(range(3), 0)
    unfinished: dict[int, list[int]] = {0: [], 1: [], 2: []}
    handed: dict[int, list[int]] = {0: [], 1: [], 2: []}
    stored = dict.fromkeys(range(3), 0)
    working: list[tuple[Lane, dict[int, list[int]]]] = []
    for what, partition, number in made:
        lane = lanes.of(partition)
        if what == "give back" and lane is None:
            # Whoever has a partition next goes on from what was committed.
            lanes.assign({partition: stored[partition]})
            read[partition], unfinished[partition] = stored[partition], []
            handed[partition] = []
        if lane is None:
            continue
        match what:
            case "read":
                offset = read[partition] + number - 1
                put(lanes, record(partition, offset))
                unfinished[partition].append(offset)
                read[partition] = offset + 1
            case "end":
                read[partition] += number
                lane.progress[partition].read_to(read[partition])
            case "begin" if lane.due_in(1.0) is not None:
                batch = lane.take(1.0)
                by_partition: dict[int, list[int]] = {}
                for taken in batch.records:
                    by_partition.setdefault(taken.partition, []).append(taken.offset)
                    handed[taken.partition].append(taken.offset)
                working.append((lane, by_partition))
            case "finish":
                for index, (busy, offsets) in enumerate(working):
                    if busy is lane:
                        done = lane.finish()
                        for of, several in offsets.items():
                            if of in done:
                                unfinished[of] = [x for x in unfinished[of] if x not in several]
                        stored |= done
                        del working[index]
                        break
            case "take away":
                stored[partition] = lanes.positions()[partition]
                lanes.revoke([partition])
        for at, position in lanes.positions().items():
            assert all(position <= offset for offset in unfinished[at])
            assert handed[at] == sorted(set(handed[at]))
            stored[at] = position


def test_a_slow_partition_stops_only_itself() -> None:
    lanes = lanes_of({0: 0, 1: 0}, room=8)
    for offset in range(4):
        put(lanes, record(0, offset))
    slow, other = lanes.of(0), lanes.of(1)
    assert slow is not None
    assert other is not None
    slow.take(0.0)
    assert lanes.turn() == ([0], [1])  # nothing was known of 1
    put(lanes, record(1, 0))
    assert other.due_in(0.0) == 0.0
    assert slow.due_in(0.0) is None, "its batch is in work"
    assert lanes.paused() == [0]
    slow.finish()
    assert lanes.turn() == ([], [0])


def test_what_one_lane_may_hold_is_its_share_of_the_room() -> None:
    lanes = Lanes(BatchSize(), Room(records=10**6, size=1000 + 2 * OVERHEAD_BYTES), joined=False)
    lanes.assign({0: 0, 1: 0})
    put(lanes, record(0, 0, 499))
    assert lanes.turn() == ([], [0, 1])
    put(lanes, record(0, 1, 500))
    assert lanes.turn() == ([0], [])
    assert lanes.held() == (2, size_of(record(0, 0, 999)) + OVERHEAD_BYTES)


def test_a_batch_is_due_when_it_is_full_or_old_enough() -> None:
    lane = Lane(BatchSize(records=2, size=10_000, seconds=5.0))
    lane.assign(0, 0)
    assert lane.due_in(0.0) is None
    lane.put(record(0, 0), 1.0)
    assert lane.due_in(2.0) == 4.0
    assert lane.due_in(7.0) == 0.0
    lane.put(record(0, 1), 2.0)
    assert lane.due_in(2.0) == 0.0
    lane.take(2.0)
    lane.put(record(0, 2, 10_000), 3.0)
    assert lane.due_in(3.0) is None, "one batch at a time"
    lane.finish()
    assert lane.due_in(3.0) == 0.0, "full by its bytes"


def test_a_joined_batch_steps_over_markers_but_not_over_what_waits() -> None:
    lanes = lanes_of({0: 5, 1: 0, 2: 7}, joined=True, records=2)
    lane = lanes.of(0)
    assert lane is not None
    for taken in (record(0, 5), record(1, 3), record(0, 8)):
        put(lanes, taken)
    for partition, end in ((0, 10), (1, 6), (2, 7)):
        lane.progress[partition].read_to(end)
    batch = lane.take(0.0)
    assert [(r.partition, r.offset) for r in batch.records] == [(0, 5), (1, 3)]
    # Of partition 0 a record waits; 1 is read to its end, markers included; 2 has nothing new.
    assert batch.spans == {0: Span(5, 6), 1: Span(0, 6)}
    assert batch.positions == {2: 7}
    assert lane.finish() == {0: 6, 1: 6}
    assert lane.take(0.0).spans == {0: Span(6, 10)}


def test_markers_are_no_work_and_no_lag() -> None:
    lanes = lanes_of({0: 0})
    lane = lanes.of(0)
    assert lane is not None
    lane.progress[0].read_to(4)
    assert lanes.positions() == {0: 4}
    assert lane.has_markers()
    lane.take(0.0)
    assert lane.finish() == {0: 4}
    assert not lane.has_markers()


def test_records_from_before_a_seek_are_left_out() -> None:
    lanes = lanes_of({0: 0}, joined=True)
    lane = lanes.of(0)
    assert lane is not None
    for offset in range(3):
        put(lanes, record(0, offset))
    lane.take(0.0)
    lane.abandon()
    lane.rewind({0: 5})
    put(lanes, record(0, 2))
    assert lane.waiting == 0
    put(lanes, record(0, 5))
    assert lane.take(0.0).spans == {0: Span(5, 6)}


def test_a_partition_that_comes_back_waits_for_its_work_from_before() -> None:
    lanes = lanes_of({0: 0})
    before = lanes.of(0)
    assert before is not None
    put(lanes, record(0, 0))
    before.take(0.0)
    lanes.revoke([0])
    lanes.assign({0: 0})
    put(lanes, record(0, 0))
    after = lanes.of(0)
    assert after is not None
    assert after.due_in(0.0) is None
    lanes.revoke([0])
    lanes.assign({0: 0})
    put(lanes, record(0, 0))
    again = lanes.of(0)
    assert again is not None
    assert again.due_in(0.0) is None, "however often it leaves and comes back"
    assert before.finish() == {}, "it is not ours to commit any more"
    assert again.due_in(0.0) == 0.0


@pytest.mark.parametrize("joined", [True, False])
def test_a_partition_that_comes_back_is_told_to_go_on(joined: bool) -> None:
    """The client may keep it paused from before."""
    lanes = lanes_of({0: 0}, joined=joined, room=1)
    put(lanes, record(0, 0))
    assert lanes.turn() == ([0], [])
    lanes.revoke([0])
    lanes.assign({0: 0})
    assert lanes.turn() == ([], [0])
