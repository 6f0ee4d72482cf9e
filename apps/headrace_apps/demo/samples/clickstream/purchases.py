"""Real records for the demo: purchases at CDNOW, an online music shop, by its customers of early 1997.

They come inside the PyPI package Lifetimes (MIT), file `lifetimes/datasets/CDNOW_sample.txt`: 6,919 purchases of
2,357 customers, January 1997 to June 1998, published by P. Fader and B. Hardie with "Forecasting Repeat Sales at
CDNOW: A Case Study" (Interfaces 31, 2001). The file is read where it is installed; the package is not imported,
and nothing is downloaded when the demo runs.

    ` 00004 0001 19970118  2   29.73`  is  customer in the full set, in the sample, date, CDs bought, US dollars paid
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata

PACKAGE = "lifetimes"
FILE = "CDNOW_sample.txt"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One row. `amount` in US dollars."""

    customer: str
    day: date
    cds: int
    amount: float

    def to_click(self) -> dict[str, object]:
        """The purchase in the clickstream's fields, all but id and time."""
        return {
            "user_id": f"cdnow-{self.customer}",
            "page": "/checkout/confirmed",
            "referrer": f"cdnow:{self.day.isoformat()}",
            "amount": self.amount,
        }


def parse_purchases(lines: Iterable[str]) -> Iterator[Purchase]:
    """ValueError for a line of another form."""
    for line in lines:
        if fields := line.split():
            _, customer, day, cds, amount = fields
            when = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
            yield Purchase(customer, when, int(cds), float(amount))


def read_purchases() -> list[Purchase]:
    """All of them in order of time. Raises FileNotFoundError when the package is not installed."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == FILE:
            lines = file.read_text().splitlines()
            return sorted(parse_purchases(lines), key=lambda purchase: (purchase.day, purchase.customer))
    raise FileNotFoundError(f"{FILE} is not here: install the package {PACKAGE} (it is in locks/dev.txt)")
