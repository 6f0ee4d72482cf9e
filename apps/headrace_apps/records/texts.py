"""Bytes, times of day and local timestamps as the JSON form writes them. Used by the forms of Avro and Protobuf."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date, datetime, timedelta
from typing import Any

from headrace_apps.records.outcome import UnfitError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?")
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9:]{8})(?:\.([0-9]{1,9}))?")
_DAY = 86_400


def base64_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def parse_base64(value: Any) -> bytes:
    """Standard base64 with its padding. Raises UnfitError."""
    if type(value) is not str:
        raise UnfitError("must be base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise UnfitError("must be base64 text") from None


def date_of_days(days: int) -> str:
    """`YYYY-MM-DD` of days since 1970-01-01. Raises UnfitError outside of the years 1 to 9999."""
    if not 0 < days + _EPOCH_DAY <= _LAST_DAY:
        raise UnfitError("is a date outside the years 1 to 9999")
    return date.fromordinal(days + _EPOCH_DAY).isoformat()


def days_of_date(text: str) -> int:
    """The inverse of a date that was checked."""
    return date.fromisoformat(text).toordinal() - _EPOCH_DAY


def time_of_units(value: int, per_second: int) -> str:
    """`HH:MM:SS[.fraction]` of milliseconds or microseconds since midnight. Raises UnfitError beyond one day."""
    seconds, rest = divmod(value, per_second)
    if not 0 <= seconds < _DAY:
        raise UnfitError("is a time outside of its day")
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{_fraction(rest, per_second)}"


def units_of_time(value: Any, per_second: int) -> int:
    """The inverse. Raises UnfitError, also for digits that the type cannot keep."""
    match = _TIME.fullmatch(value) if type(value) is str else None
    if match is None:
        raise UnfitError("must be a time of day, as 10:15:30.5")
    hours, minutes, seconds, digits = match.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole * per_second + _units(digits, per_second)


def local_of_units(value: int, per_second: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS[.fraction]` of units since 1970-01-01T00:00:00 wherever that is. Raises UnfitError."""
    seconds, rest = divmod(value, per_second)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise UnfitError("is a time outside the years 1 to 9999") from None
    return moment.isoformat() + _fraction(rest, per_second)


def units_of_local(value: Any, per_second: int) -> int:
    """The inverse. Raises UnfitError, also for digits that the type cannot keep."""
    match = _LOCAL.fullmatch(value) if type(value) is str else None
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}") if match else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        raise UnfitError("must be a local date-time, as 2026-11-22T10:15:30.5")
    # 64 bits of nanoseconds reach to the year 2262 only; the caller checks the range.
    return (moment - _EPOCH) // timedelta(seconds=1) * per_second + _units(match[3], per_second)


def _fraction(rest: int, per_second: int) -> str:
    if not rest:
        return ""
    digits = len(str(per_second)) - 1
    return f".{rest:0{digits}d}".rstrip("0")


def _units(digits: str | None, per_second: int) -> int:
    places = len(str(per_second)) - 1
    kept = (digits or "").rstrip("0")
    if len(kept) > places:
        raise UnfitError(f"must have at most {places} digits after the seconds")
    return int(kept.ljust(places, "0")) if places else 0
