"""Clicks of a made-up shop with real purchases among them, in JSON; page views and sessions recounted."""

from __future__ import annotations

from random import Random

from headrace_apps.demo.sample import Sample, Sign
from headrace_apps.demo.samples.clickstream import names
from headrace_apps.demo.samples.clickstream.author import Shop
from headrace_apps.demo.samples.clickstream.expectation import expect
from headrace_apps.demo.samples.clickstream.malformed import malformed_records
from headrace_apps.demo.samples.clickstream.purchases import read_purchases


def _shop(rng: Random) -> Shop:
    return Shop(rng, read_purchases())


CLICKSTREAM = Sample(
    name=names.PIPELINE,
    share=1.0,
    events=names.CLICKS,
    outputs=(names.CLEAN_CLICKS, names.PAGE_VIEWS, names.SESSIONS),
    followed=names.CLEAN_CLICKS,
    one_to_one=True,
    view="page-views",
    signs=(Sign(names.PAGE_VIEWS), Sign(names.SESSIONS)),
    peers=0.1,
    references_view=None,
    author=_shop,
    malformed=malformed_records,
    expect=expect,
)
