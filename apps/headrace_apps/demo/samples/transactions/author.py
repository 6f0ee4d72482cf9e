"""What the bank's channels send: accounts that change, payments by card and by transfer, a card that goes too fast."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from uuid import UUID

from headrace_apps.demo.ledger import Kind, Route, Sent
from headrace_apps.demo.moments import rfc3339
from headrace_apps.demo.samples.transactions.names import ACCOUNTS, OUT_OF_ORDERNESS_MS, PAYMENTS
from headrace_apps.demo.stream import Event

KNOWN_ACCOUNTS = 200
CARDS = 4_000
SEGMENTS = ("retail", "private", "business")
CHANNELS = ("ONLINE", "TERMINAL", "STANDING_ORDER")
FAST_PAYMENTS = 9
UPDATE_EVERY_MS, CLOSE_EVERY_MS = 250, 8_000

BREAKS: tuple[Mapping[str, object], ...] = (
    {"account_id": None},
    {"amount": {"currency": "EUR", "cents": 1.5}},
    {"amount": 12},
    {"channel": "CARRIER_PIGEON"},
    {"card": {"token": "t", "brand": "b"}, "transfer": {"iban": "DE1"}},
    {"labels": {"a": ["b"]}},
    {"paid_at": "yesterday"},
    {"payment_id": 12345},
)


class Bank:
    """An `Author` (stream.py). A card never pays twice in one millisecond: which came first would be open."""

    topic, id_field, breaks = PAYMENTS, "payment_id", BREAKS
    closes_after_ms = OUT_OF_ORDERNESS_MS + 2_000

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._accounts = [self._account(n) for n in range(KNOWN_ACCOUNTS)]
        self._closed: dict[str, str] = {}
        self._last_paid: dict[str, int] = {}
        self._fast: list[str] = ["card-fast-0"] * FAST_PAYMENTS
        self._updated = self._closed_last = 0
        self._cards_made = 0

    def compose(self, now: int) -> Event:
        rng, roll = self._rng, self._rng.random()
        event = self._payment(now)
        if roll < 0.01:
            event["account_id"] = f"nobody-{rng.randrange(1000)}"
        elif roll < 0.03 and self._closed:
            # Whether the gateway's look-up has seen the end of the account is open: the caller says the segment.
            event["account_id"], event["segment"] = rng.choice(list(self._closed.items()))
        else:
            event["account_id"] = rng.choice(self._accounts)["account_id"]
        return event

    def replay(self, now: int) -> Event | None:  # noqa: ARG002
        return None

    def closing(self, name: str, at: int) -> Event:
        return self._payment(at) | {"account_id": name}

    def references(self, now: int) -> list[Sent]:
        """All accounts first; then a change four times a second, which also lets their topic's time go on."""
        if not self._updated:
            self._updated = self._closed_last = now
            return [self._sent(account, now) for account in self._accounts]
        if now < self._updated + UPDATE_EVERY_MS:
            return []
        self._updated = now
        rng = self._rng
        if now >= self._closed_last + CLOSE_EVERY_MS and len(self._accounts) > KNOWN_ACCOUNTS // 2:
            self._closed_last = now
            closed = self._accounts.pop(rng.randrange(len(self._accounts)))
            self._closed[closed["account_id"]] = closed["segment"]
            return [Sent(closed["account_id"], Kind.REFERENCE, ACCOUNTS, route=Route.KAFKA, at=now)]
        account = rng.choice(self._accounts)
        account["risk"] = rng.randrange(101)
        return [self._sent(account, now)]

    def closing_references(self, at: int) -> list[Sent]:
        return [self._sent(self._account(KNOWN_ACCOUNTS), at)]

    def _account(self, number: int) -> Event:
        rng = self._rng
        return {
            "account_id": f"account-{number:04d}",
            "owner": f"Owner {rng.randrange(10_000)}",
            "segment": rng.choice(SEGMENTS),
            "risk": rng.randrange(101),
        }

    def _sent(self, account: Event, now: int) -> Sent:
        event = {**account, "updated_at": rfc3339(now)}
        return Sent(account["account_id"], Kind.REFERENCE, ACCOUNTS, event, at=now)

    def _payment(self, now: int) -> Event:
        rng = self._rng
        event: Event = {
            "payment_id": str(UUID(int=rng.getrandbits(128), version=4)),
            "account_id": "",
            "paid_at": rfc3339(now),
            "amount": {"currency": rng.choice(("EUR", "USD", "CHF")), "cents": rng.randrange(1, 1_000_000)},
            "labels": rng.choice(({}, {"shop": "Łódź 7"}, {"shop": "42", "till": "3"})),
        }
        if rng.random() < 0.8:
            event["channel"] = rng.choice(CHANNELS)
        if rng.random() < 0.7:
            event["card"] = {"token": self._card(now), "brand": rng.choice(("Visa", "Girocard"))}
        else:
            event["transfer"] = {"iban": f"DE{rng.randrange(10**12):020d}"}
        return event

    def _card(self, now: int) -> str:
        rng = self._rng
        if not self._fast and rng.random() < 0.002:
            self._fast = [f"card-fast-{rng.randrange(10**6)}"] * FAST_PAYMENTS
        if self._fast and self._last_paid.get(self._fast[-1], 0) < now:
            card = self._fast.pop()
        else:
            card = f"card-{rng.randrange(CARDS)}"
        if self._last_paid.get(card, 0) >= now:
            self._cards_made += 1
            card = f"card-new-{self._cards_made}"
        self._last_paid[card] = max(now, self._last_paid.get(card, 0))
        return card
