"""Which jobs a case runs, and in which stages."""

from __future__ import annotations

from dataclasses import replace

from headrace.core.pipeline import Pipeline
from headrace.testing.jobs import jobs_of, stages


def test_what_feeds_an_expected_topic_runs_before_it(shop: Pipeline) -> None:
    assert jobs_of(shop, ["orders"], ["customers"], []) == ("big", "customers")
    assert jobs_of(shop, ["orders"], ["big"], []) == ("big",)


def test_without_an_expected_topic_all_that_the_events_reach_runs(shop: Pipeline) -> None:
    assert jobs_of(shop, ["orders"], [], []) == ("big", "customers")
    assert jobs_of(shop, ["big"], [], []) == ("customers",)


def test_jobs_that_are_named_run_alone(shop: Pipeline) -> None:
    assert jobs_of(shop, ["big"], ["customers"], ["customers"], closed=True) == ("customers",)


def test_a_circle_ends(shop: Pipeline) -> None:
    big, customers = shop.jobs
    circle = [replace(big, inputs=("customers",)), customers]
    assert [[job.name for job in stage] for stage in stages(circle)] == [["big", "customers"]]
