"""Visitors of a made-up shop: seeded walks that walk from page to page. Pure; author.py stamps the clicks."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

SHELVES = ("lamps", "chairs", "tables", "rugs", "plants")
PRODUCTS = tuple(f"/product/{shelf}/{number}" for shelf in SHELVES for number in range(1, 5))
CATEGORIES = tuple(f"/category/{shelf}" for shelf in SHELVES)
ORIGINS = (None, "https://search.example/", "https://news.example/", "https://mail.example/offers")

# Where a visitor goes next, with weights; "" ends the session.
TRANSITIONS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "/": (("category", "/search", "product", ""), (5, 3, 1, 1)),
    "/search": (("product", "/search", "category", ""), (6, 2, 1, 2)),
    "category": (("product", "category", "/", ""), (6, 2, 1, 1)),
    "product": (("product", "/cart", "category", "/", ""), (4, 2, 2, 1, 3)),
    "/cart": (("/checkout", "product", ""), (4, 3, 2)),
    "/checkout": (("/checkout/confirmed", "/cart", "/help", ""), (6, 1, 1, 1)),
    "/help": (("/checkout", ""), (1, 1)),
    "/checkout/confirmed": (("/", ""), (1, 4)),
}


@dataclass(slots=True)
class _Session:
    user_id: str
    kind: str
    page: str
    referrer: str | None


class Visitors:
    """An endless stream of clicks by `concurrent` visitors at a time, of `users` in all; few of them come often."""

    def __init__(self, rng: Random, *, users: int = 2_000, concurrent: int = 150) -> None:
        self._rng = rng
        self._users = users
        self._open = [self._start() for _ in range(concurrent)]

    def next_click(self) -> dict[str, object]:
        """The fields of one click, all but id and time."""
        index = self._rng.randrange(len(self._open))
        session = self._open[index]
        click: dict[str, object] = {"user_id": session.user_id, "page": session.page}
        if session.referrer is not None:
            click["referrer"] = session.referrer
        if session.page == "/checkout/confirmed":
            click["amount"] = self._rng.randrange(500, 40_000) / 100
        if not self._move(session):
            self._open[index] = self._start()
        return click

    def _start(self) -> _Session:
        # Pareto: a few regulars, many who come once.
        user = int(self._rng.paretovariate(0.6)) % self._users
        kind = self._rng.choices(("/", "product", "/search"), (6, 3, 1))[0]
        return _Session(f"user-{user:05d}", kind, self._page(kind), self._rng.choice(ORIGINS))

    def _move(self, session: _Session) -> bool:
        kinds, weights = TRANSITIONS[session.kind]
        kind = self._rng.choices(kinds, weights)[0]
        if not kind:
            return False
        session.referrer, session.kind, session.page = session.page, kind, self._page(kind)
        return True

    def _page(self, kind: str) -> str:
        match kind:
            case "product":
                return self._rng.choice(PRODUCTS)
            case "category":
                return self._rng.choice(CATEGORIES)
            case _:
                return kind
