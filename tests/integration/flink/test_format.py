"""What one JSON record means to a job (docs/reference/contracts.md, "Row semantics"): a row of it, or why it is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROW = "ROW<`city` STRING, `zip` BIGINT>"
COLUMNS = f"""`s` STRING, `n` BIGINT, `d` DOUBLE, `b` BOOLEAN, `t` TIMESTAMP_LTZ(3), `ms` TIMESTAMP_LTZ(3), `day` DATE,
  `tags` ARRAY<STRING>, `m` MAP<STRING, BIGINT>, `place` {ROW}, `any` STRING, `odd name/;` STRING"""

GOOD: list[tuple[str, dict[str, Any]]] = [
    ('{"s":"a"}', {"s": "a"}),
    ('{"s":"äß€\\ud83d\\ude00\\n\\"","extra":{"x":[1,{"y":null}]}}', {"s": 'äß€😀\n"'}),
    ('{"s":"","n":-9223372036854775808,"d":1}', {"s": "", "n": -(2**63), "d": 1.0}),
    ('{"s":"a","n":1.0,"d":1e-3}', {"s": "a", "n": 1, "d": 0.001}),
    ('{"s":"a","n":1e3,"b":true}', {"s": "a", "n": 1000, "b": True}),
    ('{"s":"a","t":"2026-11-22T20:01:00.12399+01:00"}', {"s": "a", "t": "2026-11-22T19:01:00.123Z"}),
    (
        '{"s":"a","t":"2024-02-29 23:59:60z","day":"2024-02-29"}',
        {"s": "a", "t": "2024-03-01T00:00:00Z", "day": "2024-02-29"},
    ),
    ('{"s":"a","ms":1795374060123}', {"s": "a", "ms": "2026-11-22T19:01:00.123Z"}),
    ('{"s":"a","n":null,"tags":null}', {"s": "a"}),
    ('{"s":"a","tags":["x",""],"m":{"k":1}}', {"s": "a", "tags": ["x", ""], "m": {"k": 1}}),
    ('{"s":"a","place":{"city":"B","zip":7,"more":1}}', {"s": "a", "place": {"city": "B", "zip": 7}}),
    ('{"s":"a","any":{"z": [1, "ö"]}}', {"s": "a", "any": '{"z": [1, "ö"]}'}),
    ('{"s":"a","any":12.50}', {"s": "a", "any": "12.50"}),
    ('{"s":"a","any":"q\\u0041"}', {"s": "a", "any": '"q\\u0041"'}),
    ('{"s":"a","odd name/;":"x"} \n', {"s": "a", "odd name/;": "x"}),
]

BAD: list[tuple[bytes | None, str]] = [
    (None, "no value"),
    (b"", "empty"),
    (b"  ", "empty"),
    (b"null", "null, not an object"),
    (b'[{"s":"a"}]', "an array, not an object"),
    (b'"s"', "not an object"),
    (b'{"s":"a"', "not JSON"),
    (b'{"s":"a"} {"s":"b"}', "something follows"),
    (b'{"s":"a",}', "not JSON"),
    (b"{'s':'a'}", "not JSON"),
    (b'{"s":"a","d":NaN}', "not JSON"),
    (b'{"s":"a","n":01}', "not JSON"),
    (b'{"s":"\n"}', "not JSON"),
    (b'{"s":"\xff"}', "not UTF-8"),
    (b'{"s":"\xed\xa0\x80"}', "not UTF-8"),
    (b'\xef\xbb\xbf{"s":"a"}', "byte order mark"),
    ('{"s":"a"}'.encode("utf-16-le"), "zero bytes"),
    (b'{"s":"\\ud800"}', "s: has half a surrogate pair"),
    (b'{"s":"a","extra":["\\udc00"]}', "extra: has half a surrogate pair"),
    (b'{"s":"a","s":"a"}', "s: is there twice"),
    (b'{"s":"a","extra":1,"extra":2}', "extra: is there twice"),
    (b'{"s":"a","extra":{"x":1,"x":1}}', "x: is there twice"),
    (b'{"s":"a","m":{"k":1,"k":1}}', "m.k: is there twice"),
    (b"{}", "s: is missing"),
    (b'{"s":null}', "s: is null"),
    (b'{"s":7}', "s: is the number 7, not a string"),
    (b'{"s":"a","n":"7"}', 'n: is the text "7", not a whole number'),
    (b'{"s":"a","n":1.5}', "n: is the number 1.5"),
    (b'{"s":"a","n":9223372036854775808}', "n: is the number 9223372036854775808"),
    (b'{"s":"a","n":1e400000}', "n: is the number 1e400000"),
    (b'{"s":"a","d":1e999}', "d: is the number 1e999"),
    (b'{"s":"a","b":1}', "b: is the number 1, not true or false"),
    (b'{"s":"a","t":"2026-11-22T19:01:00"}', "t: is the text"),
    (b'{"s":"a","t":"2026-02-29T19:01:00Z"}', "t: is the text"),
    (b'{"s":"a","t":1795374060123}', "t: is the number"),
    (b'{"s":"a","t":"0001-01-01T00:00:00+01:00"}', "t: is the text"),
    (b'{"s":"a","ms":"2026-11-22T19:01:00Z"}', "ms: is the text"),
    (b'{"s":"a","ms":253402300800000}', "years 1 to 9999"),
    (b'{"s":"a","day":"2026-13-01"}', "day: is the text"),
    (b'{"s":"a","tags":"x"}', "tags: is the text"),
    (b'{"s":"a","tags":["x",2]}', "tags[1]: is the number 2"),
    (b'{"s":"a","tags":[null]}', "tags[0]: is null"),
    (b'{"s":"a","m":{"k":"v"}}', 'm.k: is the text "v"'),
    (b'{"s":"a","place":{"zip":1}}', "place.city: is missing"),
    (b'{"s":"a","place":{"city":3}}', "place.city: is the number 3"),
    (b'{"s":"a","place":[]}', "place: is an array, not an object"),
]


def test_each_record_is_the_row_it_says_or_a_dead_letter_that_says_why(stream: Any) -> None:
    for name in ("records", "rows", "dead-letters"):
        stream.topic(name, partitions=1)
    stream.start(write_document(stream))
    values = [text.encode() for text, _ in GOOD] + [value for value, _ in BAD]
    stream.send("records", [(b"k", value) for value in values])

    rows = [json.loads(message.value()) for message in stream.await_records("rows", len(GOOD))]
    assert rows == [row for _, row in GOOD]
    letters = stream.await_records("dead-letters", len(BAD))
    assert [message.value() for message in letters] == [value for value, _ in BAD]
    for message, (value, reason) in zip(letters, BAD, strict=True):
        error = dict(message.headers())["headrace.dlq.error"].decode()
        assert reason in error, (value, error)
        assert "\n" not in error


def write_document(stream: Any) -> Path:
    """The golden pass-through job over a schema with every type; its query uses the columns through a nested view."""
    golden = json.loads(stream.document("home-clicks").read_text())
    source, _, sink, letters, _ = golden["statements"]
    columns = "`event_id` STRING,\n  `user_id` STRING,\n  `page` STRING,\n  `occurred_at` TIMESTAMP_LTZ(3)"
    source = source.replace(columns, COLUMNS)
    source = source[: source.index(",\n  WATERMARK")] + source[source.index("\n) WITH") :]
    options = [line for line in source.splitlines() if "'headrace.late." not in line and "'headrace.id." not in line]
    source = "\n".join(line for line in options if "'scan.watermark" not in line)
    source = source.replace(
        "'event_id;user_id;page;occurred_at',",
        "'s;place/city',\n  'value.headrace-json.json' = 'any',\n  'value.headrace-json.epoch-millis' = 'ms'",
    )
    assert "headrace.id" not in source
    sink = sink.replace(f"{columns},\n  `_key` STRING", COLUMNS)
    lines = [line for line in sink.splitlines() if "'key." not in line]
    sink = "\n".join(lines).replace("EXCEPT_KEY", "ALL")
    names = "`s`, `n`, `d`, `b`, `t`, `ms`, `day`, `tags`, `m`, `place`, `any`, `odd name/;`"
    view = f"CREATE TEMPORARY VIEW `rows` AS SELECT {names} FROM `__source_clicks` WHERE `_outcome` = 'row'"
    golden["statements"] = [source, view, sink, letters]
    golden["inserts"][0] = f"INSERT INTO `__sink_home_clicks` ({names}) SELECT {names} FROM `rows`"
    text = json.dumps(golden).replace(f"{stream.prefix}clicks", f"{stream.prefix}records")
    path: Path = stream.folder / "format.json"
    path.write_text(text.replace(f"{stream.prefix}home_clicks", f"{stream.prefix}rows"))
    return path
