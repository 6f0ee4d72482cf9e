"""One spelling for values from JSON, Avro, Protobuf and SQL, so that they can be compared. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from headrace_apps.demo.moments import epoch_ms

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are null left out, at any depth; times as epoch milliseconds; JSON text of a VARIANT parsed."""
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one per kind of value
    match value:
        case datetime():
            # A time without a zone is UTC, as the loader writes it.
            return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
        case Mapping():
            return plain(value)
        case list():
            return [_plain(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case str() if _TIME.fullmatch(value):
            return epoch_ms(value)
        case str() if value[:1] in ("{", "["):
            return _parsed(value)
        case _:
            return value


def _parsed(text: str) -> Any:
    try:
        return _plain(json.loads(text))
    except ValueError:
        return text
