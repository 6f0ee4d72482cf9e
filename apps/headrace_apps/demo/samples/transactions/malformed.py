"""Protobuf that is none: frames that are broken (broken.py), and bodies that the message forbids."""

from __future__ import annotations

import json
from random import Random

from headrace_apps.demo.samples.broken import HEADER, broken_frames
from headrace_apps.demo.samples.transactions.author import Bank
from headrace_apps.demo.samples.transactions.names import ACCOUNTS, PAYMENTS
from headrace_apps.demo.wire import Wire

FIRST_MESSAGE = b"\x00"
SECOND_MESSAGE = b"\x02\x02"
"""One index, 1, as zig-zag varints."""


def malformed_records(rng: Random, wire: Wire) -> list[tuple[str, bytes | None]]:
    """One record of each kind; the contents are a valid payment before they are broken. Asks the registry for ids."""
    bank = Bank(Random(rng.getrandbits(32)))
    event = bank.closing("external", rng.randrange(1_700_000_000_000, 1_800_000_000_000))
    value = wire.encode(PAYMENTS, event)
    header, body = value[:HEADER], value[HEADER + len(FIRST_MESSAGE) :]
    without_time = wire.encode(PAYMENTS, {name: v for name, v in event.items() if name != "paid_at"})
    return [
        *broken_frames(value, wire.schema_id(ACCOUNTS), json.dumps(event).encode()),
        ("another message of the file", header + SECOND_MESSAGE + body),
        ("no time", without_time),
        ("not UTF-8", header + FIRST_MESSAGE + body.replace(b"external", b"\xff\xfeternal")),
    ]
