"""RFC 3339 instants and dates, as the contract reads and writes them. Used by all of `records` and by the loader.

An instant is whole milliseconds since 1970-01-01T00:00:00Z; a date is its `YYYY-MM-DD` text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FIRST_INSTANT = -62_135_596_800_000
"""0001-01-01T00:00:00Z"""
LAST_INSTANT = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z"""

_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_instant(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 date-time with an offset; digits below a millisecond are cut.

    A leap second (:60) falls on the next second, as in POSIX time. Raises ValueError: no offset, a date that is not
    in the calendar, outside the years 1 to 9999.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("is not an RFC 3339 date-time with an offset")
    day, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}{'+00:00' if offset in 'Zz' else offset}")
    except ValueError as error:
        raise ValueError("is not a date-time in the calendar") from error
    instant = (moment - EPOCH) // MILLISECOND + int(second) * 1000
    if fraction:
        instant += int(fraction[:3].ljust(3, "0"))
    return check_instant(instant)


def check_instant(instant: int) -> int:
    """The instant, when it falls in the years 1 to 9999, which is what a table can hold; else ValueError."""
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise ValueError("is outside the years 1 to 9999")
    return instant


def instant_text(instant: int) -> str:
    """RFC 3339 in UTC with `Z`; a zero fraction is left out (contract, "Records")."""
    moment = EPOCH + instant * MILLISECOND
    precise = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return precise.replace("+00:00", "Z")


def parse_date(text: str) -> str:
    """The text itself, when it is `YYYY-MM-DD` and in the calendar; else ValueError."""
    if _DATE.fullmatch(text) is None:
        raise ValueError("is not a date as YYYY-MM-DD")
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is not a date in the calendar") from error
    return text
