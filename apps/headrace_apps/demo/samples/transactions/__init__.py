"""Payments and the accounts that they are joined with, in Protobuf; joins and speed worked out again."""

from __future__ import annotations

from headrace_apps.demo.sample import Sample, Sign
from headrace_apps.demo.samples.transactions import names
from headrace_apps.demo.samples.transactions.author import Bank
from headrace_apps.demo.samples.transactions.expectation import expect
from headrace_apps.demo.samples.transactions.malformed import malformed_records

TRANSACTIONS = Sample(
    name=names.PIPELINE,
    share=0.2,
    events=names.PAYMENTS,
    outputs=(names.ENRICHED, names.FAST_CARDS),
    followed=names.ENRICHED,
    one_to_one=True,
    view="fast-cards",
    signs=(Sign(names.ENRICHED), Sign(names.FAST_CARDS)),
    peers=0.25,
    references_view="accounts",
    author=Bank,
    malformed=malformed_records,
    expect=expect,
)
