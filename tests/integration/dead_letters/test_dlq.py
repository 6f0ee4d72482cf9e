"""`headrace dlq` on a real broker: each selected letter is sent once, whatever happens to the process."""

from __future__ import annotations

import json
import signal
from collections import Counter
from datetime import UTC, datetime
from random import Random
from threading import Event

import pytest
from confluent_kafka import Producer

from headrace.core.dead_letter import Reason
from headrace_apps.runtime import Address, DeadLetterTopic, Letter, Record, StopError

from .conftest import DEADLINE, Shop, wait_until

pytestmark = pytest.mark.integration


def events(count: int) -> list[bytes]:
    return [json.dumps({"id": f"e{n}", "user": f"user-{n}"}).encode() for n in range(count)]


def test_a_redrive_that_is_killed_again_and_again_sends_each_letter_once(shop: Shop) -> None:
    count = 400
    shop.dead_letter(events(count))
    # The first would take minutes, so it is killed under way. The second writes one transaction after the other, so it
    # is most likely killed within one; whether it is, or ends first, must make no difference.
    for pace in (["--rate", "4/s"], []):
        before = len(shop.sent())
        process = shop.start("redrive", "--every", *pace)
        wait_until(lambda: len(shop.sent()) > before or process.poll() is not None, "letters sent again")  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert not pace or 0 < len(shop.sent()) < count
    code, out, err = shop.run("redrive", "--every")
    assert code == 0, err
    assert "letters redriven" in out
    sent = shop.sent()
    assert Counter(record.value for record in sent) == Counter(events(count))
    assert {record.key for record in sent} == {f"user-{n}".encode() for n in range(count)}
    assert all(record.header("headrace.attempt") == "2" and record.header("trace") for record in sent)
    assert Counter(shop.fates().values()) == {"redriven": count}
    assert shop.run("redrive", "--every")[1] == "0 letters redriven\n"
    assert len(shop.sent()) == count


def test_a_second_redrive_takes_over_and_the_first_says_so(shop: Shop) -> None:
    shop.dead_letter(events(200))
    first = shop.start("redrive", "--every", "--rate", "1/s")
    wait_until(lambda: len(shop.sent()) > 0, "the first redrive to have sent something")
    code, _, err = shop.run("redrive", "--every")
    assert code == 0, err
    _, complaint = first.communicate(timeout=DEADLINE)
    assert first.returncode == 3, complaint
    assert "took over" in complaint
    assert Counter(record.value for record in shop.sent()) == Counter(events(200))


def test_a_dry_run_counts_shows_and_changes_nothing(shop: Shop) -> None:
    shop.dead_letter(events(3), reason=Reason.MALFORMED)
    shop.dead_letter([b'{"id": "g", "user": "ann", "amount": -1}'], "gateway", Reason.SCHEMA_INVALID)
    patch = '[{"op": "add", "path": "/amount", "value": 7}]'
    code, out, _ = shop.run("redrive", "--reason", "malformed", "--patch", patch, "--dry-run")
    assert code == 0
    assert "3 letters selected" in out
    assert f'0-2 → {shop.orders}, key user-2: {{"id": "e2", "user": "user-2", "amount": 7}}' in out
    code, out, err = shop.run("redrive", "--every", "--dry-run")
    assert code == 1
    assert "3 would be sent" in out
    assert "0-3: is not valid for orders: /amount" in err
    assert (shop.sent(), shop.fates()) == ([], {})


def test_letters_are_selected_corrected_discarded_and_listed(shop: Shop) -> None:
    shop.dead_letter([b'{"id": "a", "user": "ann", "amount": -5}', b"broken"], "gateway", Reason.SCHEMA_INVALID)
    shop.dead_letter(events(2))
    patch = '[{"op": "replace", "path": "/amount", "value": 5}]'
    code, out, err = shop.run("redrive", "--where", "@.amount < 0", "--patch", patch)
    assert (code, out) == (0, "1 letters redriven\n"), err
    (record,) = shop.sent()
    assert (record.key, json.loads(record.value or b"")) == (b"ann", {"id": "a", "user": "ann", "amount": 5})
    code, out, err = shop.run("redrive", "--stage", "gateway")
    assert (code, out) == (1, "0 letters redriven\n")
    assert "0-1: is not valid for orders: not JSON" in err
    assert shop.run("discard", "--reason", "Late", "--key", "user-1")[0] == 0
    assert shop.fates() == {"0-0": "redriven", "0-3": "discarded"}
    listed = json.loads(shop.run("list", "--json")[1])
    assert [letter["letter"] for letter in listed["letters"]] == ["0-2", "0-1"]
    assert shop.run("export", "--all")[1].count("\n") == 4
    assert "became   redriven as " + record.topic in shop.run("peek", "0-0")[1]


def test_a_letter_that_is_too_large_for_its_topic_is_named_and_the_rest_is_sent(shop: Shop) -> None:
    """Beyond a producer's usual limit, which says nothing about what a topic takes."""
    text = Random(0).randbytes(505_000).hex()  # which no compression makes small
    large = json.dumps({"id": "large", "user": "user-1", "text": text}).encode()
    small = events(60)
    letters = DeadLetterTopic(
        shop.kafka, Address(shop.letters, "sink/table", shop.orders), lambda: datetime.now(UTC), Event()
    )
    letter = Letter(Record(0, 41, b"user-1", large, None, 0), Reason.FAILED, "as the test wants it")
    shop.limit(shop.letters, 100_000)
    with pytest.raises(StopError, match=f"topic {shop.orders}, partition 0, offset 41: .* does not fit into"):
        letters.write([letter])
    shop.limit(shop.letters, 8 << 20)
    shop.dead_letter(small[:30])
    letters.write([letter])
    shop.dead_letter(small[30:], "job/other")
    shop.limit(shop.orders, 100_000)
    code, out, err = shop.run("redrive", "--every")
    assert (code, out) == (1, "60 letters redriven\n"), err
    assert f"0-30: is larger than {shop.orders} takes" in err
    assert Counter(record.value for record in shop.sent()) == Counter(small)
    shop.limit(shop.orders, 8 << 20)
    assert shop.run("redrive", "--every")[:2] == (0, "1 letters redriven\n")
    assert Counter(record.value for record in shop.sent()) == Counter([*small, large])


def test_a_record_with_letters_of_two_stages_is_sent_once(shop: Shop) -> None:
    shop.dead_letter(events(2), "job/count")
    shop.dead_letter(events(2), "sink/table", Reason.UNLOADABLE)
    assert shop.run("redrive", "--every")[:2] == (0, "4 letters redriven\n")
    assert Counter(record.value for record in shop.sent()) == Counter(events(2))
    assert shop.fates() == dict.fromkeys(["0-0", "0-1", "0-2", "0-3"], "redriven")


def test_a_letter_whose_fate_an_open_transaction_hides_is_left_alone(shop: Shop) -> None:
    shop.dead_letter(events(2))
    # As long as a broker allows: on a slow machine the commands below must not outlast it.
    job = Producer({**shop.kafka, "transactional.id": f"{shop.name}.job", "transaction.timeout.ms": 900_000})
    job.init_transactions()
    job.begin_transaction()
    job.produce(shop.letters, b"of a checkpoint that is under way")
    job.flush()
    assert shop.run("redrive", "0-0")[0] == 0
    code, out, err = shop.run("redrive", "--every")
    assert (code, out) == (1, "1 letters redriven\n")  # 0-1; whether 0-0 was sent is hidden
    assert "1 letters lie behind an open transaction" in err
    job.abort_transaction()
    assert shop.run("redrive", "--every")[:2] == (0, "0 letters redriven\n")
    assert Counter(record.value for record in shop.sent()) == Counter(events(2))
