"""Avro that is none: frames that are broken (broken.py), and bodies that the schema forbids."""

from __future__ import annotations

import json
from random import Random

from headrace_apps.demo.samples.broken import HEADER, broken_frames
from headrace_apps.demo.samples.iot.author import Fleet
from headrace_apps.demo.samples.iot.names import ALERTS, READINGS
from headrace_apps.demo.wire import Wire


def malformed_records(rng: Random, wire: Wire) -> list[tuple[str, bytes | None]]:
    """One record of each kind; the contents are a valid reading before they are broken. Asks the registry for ids."""
    event = Fleet(Random(rng.getrandbits(32))).compose(rng.randrange(1_700_000_000_000, 1_800_000_000_000))
    value = wire.encode(READINGS, event)
    header, body = value[:HEADER], value[HEADER:]
    return [
        *broken_frames(value, wire.schema_id(ALERTS), json.dumps(event).encode()),
        (
            "not UTF-8",
            header + body.replace(str(event["device_id"]).encode(), b"\xff\xfeevice-00"[: len(event["device_id"])]),
        ),
        ("endless text", header + b"\xfe\xff\xff\xff\x0f" + body),
        ("text of negative length", header + b"\x01" + body[1:]),
    ]
