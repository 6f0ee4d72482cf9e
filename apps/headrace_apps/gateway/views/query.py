"""What a caller asks of a view, read from parameters, body and headers. Pure; `routes` answers.

Everything here raises `QueryInvalid` with a sentence for the caller.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.core.columns import Column
from headrace.core.keys import encode_key, is_plain
from headrace_apps.gateway.views.keys import KeyInvalid, check_field, parse_field, parse_view_key
from headrace_apps.gateway.views.order import KEYS, STRANGE, behind, place_field, place_fields

OFFSETS_HEADER = "Headrace-Offsets"
MIN_OFFSETS_HEADER = "Headrace-Min-Offsets"
MAX_KEYS = 1_000
"""Of one multi-get."""

_OFFSETS = re.compile(r"[0-9]{1,9}:[0-9]{1,18}(?:,[0-9]{1,9}:[0-9]{1,18}){0,9999}")


class QueryInvalid(ValueError):  # noqa: N818
    """The question cannot be answered as it stands."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Stretch:
    """Places from `start` to before `end`."""

    start: bytes
    end: bytes

    def after(self, place: bytes) -> Stretch:
        """What is left of it behind a place."""
        return Stretch(max(self.start, place + b"\x00"), self.end)


def parse_stretch(columns: Sequence[Column], prefix: Sequence[str], lower: str | None, upper: str | None) -> Stretch:
    """`prefix`: values of leading key fields as declared; `lower` (included) and `upper` (not) are of the next one."""
    if not prefix and lower is None and upper is None:
        return Stretch(KEYS, behind(STRANGE))
    names = ", ".join(column.name for column in columns)
    if len(prefix) > len(columns):
        raise QueryInvalid("invalid-prefix", f"There are {len(columns)} key fields ({names}), not {len(prefix)}.")
    values = [_field(column, text, "prefix") for column, text in zip(columns, prefix, strict=False)]
    start = place_fields(columns, values)
    end = behind(start)
    if lower is not None or upper is not None:
        if len(prefix) == len(columns):
            detail = f"`prefix` has all key fields ({names}), so none is left for `from` and `to`."
            raise QueryInvalid("invalid-range", detail)
        ranged = columns[len(prefix)]
        if upper is not None:
            end = start + place_field(ranged, _field(ranged, upper, "to"))
        if lower is not None:
            start += place_field(ranged, _field(ranged, lower, "from"))
    return Stretch(start, end)


def _field(column: Column, text: str, parameter: str) -> Any:
    try:
        return parse_field(column, text)
    except KeyInvalid as error:
        raise QueryInvalid(
            f"invalid-{'prefix' if parameter == 'prefix' else 'range'}", f"`{parameter}`: {error}."
        ) from None


def parse_keys(body: bytes, columns: Sequence[Column]) -> list[bytes]:
    """The Kafka keys of `{"keys": [...]}`: each as it stands in a URL, or an object of the key fields."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise QueryInvalid("invalid-keys", f"The body is not JSON: {error}.") from None
    keys = asked.get("keys") if isinstance(asked, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise QueryInvalid("invalid-keys", f'The body must be {{"keys": [...]}} with 1 to {MAX_KEYS} keys.')
    return [_key(key, columns, index) for index, key in enumerate(keys)]


def _key(key: Any, columns: Sequence[Column], index: int) -> bytes:
    try:
        if isinstance(key, str):
            return parse_view_key(key, columns)
        if isinstance(key, dict) and key.keys() == {column.name for column in columns}:
            values = {column.name: check_field(column, key[column.name]) for column in columns}
            return encode_key(columns, values) or b""
    except KeyInvalid as error:
        raise QueryInvalid("invalid-key", f"keys[{index}]: {error}.") from None
    fields = ", ".join(column.name for column in columns)
    also = "" if is_plain(columns) else " joined by commas"
    raise QueryInvalid(
        "invalid-key", f"keys[{index}] must be the percent-encoded values{also}, or an object with exactly {fields}."
    )


def render_offsets(positions: Mapping[int, int]) -> str:
    """`0:123,1:456`: the next offset to read per partition."""
    return ",".join(f"{partition}:{positions[partition]}" for partition in sorted(positions))


def parse_offsets(text: str | None) -> dict[int, int]:
    """What the header asks for at least; nothing without it."""
    if text is None or not text.strip():
        return {}
    compact = text.replace(" ", "")
    if _OFFSETS.fullmatch(compact) is None:
        detail = f"{MIN_OFFSETS_HEADER} must be what {OFFSETS_HEADER} of an answer was, such as 0:123,1:456."
        raise QueryInvalid("invalid-min-offsets", detail)
    return {int(partition): int(offset) for partition, _, offset in (x.partition(":") for x in compact.split(","))}


def render_cursor(place: bytes) -> str:
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def parse_cursor(cursor: str) -> bytes:
    """The place behind which a page goes on."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        detail = "The cursor cannot be used: it is not one that the gateway gave out."
        raise QueryInvalid("invalid-cursor", detail) from None
