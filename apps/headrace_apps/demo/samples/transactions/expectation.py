"""What payments must lead to: the account as it was when each was paid, cards that went too fast, a table. Pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headrace_apps.demo.check.expectation import (
    Accepted,
    Expectation,
    Key,
    Letters,
    Output,
    Reference,
    Row,
    TableRows,
)
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.samples.transactions import names
from headrace_apps.demo.samples.transactions.names import ACCOUNTS, AT_MOST, CLOSING, DEFAULT_CHANNEL, WITHIN_MS

NOT_SET = "UNKNOWN"
"""The enum's zero, which Protobuf has where a writer said nothing."""


@dataclass(frozen=True, slots=True)
class Account:
    """Its versions in order of time; None: closed."""

    times: Sequence[int]
    rows: Sequence[Row | None]

    def as_of(self, at: int) -> Row:
        """The version at that time; nothing before the first and after the end."""
        index = bisect_right(self.times, at) - 1
        return (self.rows[index] if index >= 0 else None) or {}


def expect(accepted: Accepted) -> Expectation:
    """Every place where payments arrive."""
    accounts = accounts_of(accepted.references)
    segments = {r.key: r.row["segment"] for r in accepted.references if r.row}
    stored = {i: as_stored(event, i in accepted.by_gateway, segments) for i, event in accepted.events.items()}
    punctual = [plain(stored[i]) for i in accepted.punctual]
    enriched: dict[Key, Row] = {(payment["payment_id"],): enriched_payment(payment, accounts) for payment in punctual}
    jobs = (names.ENRICH_JOB, names.VELOCITY_JOB)
    return Expectation(
        accepted=accepted,
        stored=stored,
        gateway_sets=("received_at",),
        outputs=[
            Output("every payment, joined", names.ENRICHED, ("payment_id",), enriched, ignored=_of_closing),
            Output("every payment too many", names.FAST_CARDS, ("card", "paid_at"), fast_cards(punctual)),
        ],
        letters=[
            *(Letters(f"job/{job}", "Late", "late") for job in jobs),
            *(Letters(f"job/{job}", "Malformed", "malformed") for job in jobs),
        ],
        tables=[
            TableRows(
                names.SINK,
                ("payment_id",),
                ("payment_id",),
                {key: _hashed(row) for key, row in enriched.items()},
                ignored=_of_closing,
            )
        ],
    )


def as_stored(payment: Row, by_gateway: bool, segments: Mapping[str, str]) -> Row:
    """The payment as the gateway leaves it (default and look-up), or as an outside producer writes it."""
    if not by_gateway:
        return {"channel": NOT_SET, **payment}
    segment = segments.get(payment["account_id"])
    return {"channel": DEFAULT_CHANNEL, **payment} | ({"segment": segment} if segment else {})


def accounts_of(references: Iterable[Reference]) -> dict[str, Account]:
    """By account id."""
    versions: dict[str, list[tuple[int, Row | None]]] = defaultdict(list)
    for reference in references:
        if reference.topic == ACCOUNTS:
            versions[reference.key].append((reference.at, reference.row))
    ordered = {key: sorted(own, key=lambda version: version[0]) for key, own in versions.items()}
    return {key: Account([at for at, _ in own], [row for _, row in own]) for key, own in ordered.items()}


def enriched_payment(payment: Row, accounts: Mapping[str, Account]) -> Row:
    """The joined row; what is null is left out."""
    known = accounts.get(payment["account_id"])
    account = known.as_of(payment["paid_at"]) if known else {}
    row = {name: payment.get(name) for name in ("payment_id", "account_id", "paid_at", "channel", "segment")}
    row |= {"currency": payment["amount"]["currency"], "cents": payment["amount"]["cents"]}
    return plain(row | {name: account.get(name) for name in ("owner", "risk")})


def fast_cards(payments: Iterable[Row]) -> dict[Key, Row]:
    """Payments by card that were more than allowed within the minute that ends with them."""
    by_card: dict[str, list[int]] = defaultdict(list)
    for payment in payments:
        if card := payment.get("card"):
            by_card[card["token"]].append(payment["paid_at"])
    found: dict[Key, Row] = {}
    for card, times in by_card.items():
        times.sort()
        for at in times:
            count = bisect_right(times, at) - bisect_left(times, at - WITHIN_MS)
            if count > AT_MOST:
                found[card, at] = {"card": card, "paid_at": at, "payments": count}
    return found


def _hashed(row: Row) -> Row:
    owner = row.get("owner")
    return row if owner is None else {**row, "owner": hashlib.sha256(str(owner).encode()).hexdigest()}


def _of_closing(row: Row) -> bool:
    return str(row["account_id"]).startswith(CLOSING)
