"""What one event's text may be: JSON that every reader understands alike, or a refusal that says why."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace_apps.records.event_json import NotAnEvent, parse_event

DEPTH = 64


class Twice(Exception):  # noqa: N818
    pass


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Twice
    return dict(pairs)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from([":", '":', "a", "\\", " :"])
spaces = st.sampled_from(["", "", "", " ", "\n", "\t", "\r", "  "])


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON as people and machines write it: any spacing, any escapes, keys that may come twice."""
    kinds = ["string", "number", "word"] + (["object", "array"] if depth else [])
    match draw(st.sampled_from(kinds)):
        case "string":
            return json.dumps(draw(texts), ensure_ascii=draw(st.booleans()))
        case "number":
            return draw(st.sampled_from(["0", "-1", "1.5", "1e3", "9223372036854775808", "0.1E-2"]))
        case "word":
            return draw(st.sampled_from(["true", "false", "null"]))
        case "array":
            items = draw(st.lists(json_texts(depth=depth - 1), max_size=3))
            return "[" + draw(spaces) + ("," + draw(spaces)).join(items) + "]"
    return draw(objects(depth))


@st.composite
def objects(draw: st.DrawFn, depth: int = 3) -> str:
    members = []
    for _ in range(draw(st.integers(0, 4))):
        name = json.dumps(draw(texts), ensure_ascii=draw(st.booleans()))
        members.append(name + draw(spaces) + ":" + draw(spaces) + draw(json_texts(depth=depth - 1)))
    return "{" + draw(spaces) + ("," + draw(spaces)).join(members) + draw(spaces) + "}"


@given(objects())
@example('{"a":1,"a":2}')
@example('{"a":":","b" :1,"b" :2}')
@example('{"a" :1,"a":2}')
@example('{"a":1,"\\u0061":2}')
@example('{"x":{"a":1,"a":1}}')
@example('{"a":{"b":1,"c":2},"a":":"}')
def test_a_key_that_comes_twice_is_refused_and_nothing_else_is(text: str) -> None:
    raw = text.encode()
    try:
        expected: Any = json.loads(text, object_pairs_hook=unique)
    except Twice:
        expected = Twice
    try:
        parsed: Any = parse_event(raw, DEPTH)
    except NotAnEvent:
        parsed = Twice
    if expected is Twice:
        assert parsed is Twice
    else:
        assert parsed == orjson.loads(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":1e400}', "not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{"a":"\xed\xa0\x80"}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":1} {"b":2}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested too deeply"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "not JSON"),
        (b'{"a":' + b"1" * 1001 + b"}", "not JSON"),
        (b'{"a":0.' + b"1" * 2000 + b"}", "more than 1000 characters"),
        (b'{"b":"' + b"x" * 700 + b'","a":-0.' + b"1" * 1000 + b"}", "more than 1000 characters"),
        (b'{"' + b"k" * 50_001 + b'":1}', "a key is longer"),
        ('{"é":1,"\\u00e9":2}'.encode(), "twice"),
    ],
)
def test_what_some_reader_would_not_take_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotAnEvent, match=reason):
        parse_event(raw, DEPTH)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_event_or_a_refusal(raw: bytes) -> None:
    try:
        assert isinstance(parse_event(raw, DEPTH), dict)
    except NotAnEvent as refusal:
        assert str(refusal)


@given(st.integers(0, 2500), st.integers(980, 1100), st.sampled_from([b"", b"-", b"-0."]))
def test_no_number_beyond_the_bound_slips_through_wherever_it_stands(before: int, digits: int, sign: bytes) -> None:
    number = sign + b"1" * digits
    raw = b'{"b":"' + b"x" * before + b'","a":' + number + b',"c":0}'
    if len(number) > 1000:
        with pytest.raises(NotAnEvent):
            parse_event(raw, DEPTH)
    elif sign == b"-0.":
        parse_event(raw, DEPTH)
