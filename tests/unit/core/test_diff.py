"""From what is there to what the plan wants: each step, its order, and what is never done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headrace.core.diff import (
    Action,
    Observed,
    ObservedRun,
    ObservedSubject,
    ObservedTopic,
    Step,
    diff,
    teardown,
)
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Plan, plan
from headrace.core.platform import Platform


@pytest.fixture
def wanted(manifest: dict[str, Any], pipeline: Callable[[Any], Pipeline], platform: Platform) -> Plan:
    return plan(pipeline(manifest), platform)


def as_planned(plan: Plan) -> Observed:
    """Everything is there, just as planned."""
    owner = plan.pipeline.name
    return Observed(
        topics={t.name: ObservedTopic(t.partitions, dict(t.config), owner, t.deletion_policy) for t in plan.topics},
        subjects={s.name: ObservedSubject(s.definition, s.compatibility, owner) for s in plan.subjects},
        jobs={j.name: ObservedRun(j.document.digest, owner) for j in plan.jobs},
        loaders={x.name: ObservedRun(x.document.digest, owner) for x in plan.loaders},
        gateways={plan.gateway.name: ObservedRun(plan.gateway.document.digest, owner)},
    )


def by_id(steps: tuple[Step, ...]) -> dict[str, Step]:
    return {step.id: step for step in steps}


def test_the_steady_state_has_no_steps(wanted: Plan) -> None:
    assert diff(wanted, as_planned(wanted)) == ()


def test_on_an_empty_platform_everything_is_created_and_the_gateway_waits_for_topics_only(wanted: Plan) -> None:
    steps = by_id(diff(wanted, Observed()))
    assert {step.action for step in steps.values()} == {Action.CREATE}
    assert set(steps) == {resource.id for resource in wanted}
    assert steps["gateway/shop"].after == {"topic/shop.clicks", "topic/shop.page_views", "topic/shop.dead-letters"}
    assert steps["job/shop.views"].after == {"topic/shop.clicks", "topic/shop.page_views", "topic/shop.dead-letters"}
    assert steps["topic/shop.clicks"].after == frozenset()


def test_what_died_is_created_again_and_nothing_else_is_touched(wanted: Plan) -> None:
    steps = diff(wanted, replace(as_planned(wanted), jobs={}))
    assert [(step.action, step.id) for step in steps] == [(Action.CREATE, "job/shop.views")]


def test_partitions_grow_with_a_warning_and_never_shrink(wanted: Plan) -> None:
    seen = as_planned(wanted)
    clicks = seen.topics["shop.clicks"]
    (grow,) = diff(wanted, replace(seen, topics={**seen.topics, "shop.clicks": replace(clicks, partitions=3)}))
    assert (grow.action, grow.blocked) == (Action.CHANGE, "")
    assert "keys move to other partitions" in grow.irreversible
    (shrink,) = diff(wanted, replace(seen, topics={**seen.topics, "shop.clicks": replace(clicks, partitions=9)}))
    assert "cannot take partitions away (9 → 6)" in shrink.blocked


@pytest.mark.parametrize(
    ("owner", "said"), [(None, "was not made by Headrace"), ("other", "belongs to pipeline 'other'")]
)
def test_a_topic_of_somebody_else_is_never_adopted(wanted: Plan, owner: str | None, said: str) -> None:
    seen = as_planned(wanted)
    foreign = replace(seen.topics["shop.clicks"], owner=owner, partitions=1)
    (step,) = diff(wanted, replace(seen, topics={**seen.topics, "shop.clicks": foreign}))
    assert said in step.blocked


def test_a_changed_schema_gates_what_stands_on_it_and_readers_go_first(wanted: Plan) -> None:
    seen = as_planned(wanted)
    subject = replace(seen.subjects["shop.clicks-value"], definition=json.dumps({"type": "object"}))
    seen = replace(seen, subjects={**seen.subjects, "shop.clicks-value": subject}, jobs={}, gateways={}, loaders={})
    steps = by_id(diff(wanted, seen))
    assert "subject/shop.clicks-value" in steps["job/shop.views"].after
    assert {"subject/shop.clicks-value", "job/shop.views", "loader/shop.raw"} <= steps["gateway/shop"].after


def test_with_forward_compatibility_the_gateway_goes_before_its_readers(
    manifest: dict[str, Any], pipeline: Callable[[Any], Pipeline], platform: Platform
) -> None:
    manifest["spec"]["topics"][0]["schema"]["compatibility"] = "FORWARD"
    wanted = plan(pipeline(manifest), platform)
    seen = as_planned(wanted)
    subject = replace(seen.subjects["shop.clicks-value"], definition="{}")
    seen = replace(seen, subjects={**seen.subjects, "shop.clicks-value": subject}, jobs={}, gateways={})
    steps = by_id(diff(wanted, seen))
    assert "gateway/shop" in steps["job/shop.views"].after
    assert "job/shop.views" not in steps["gateway/shop"].after


def test_what_leaves_stops_first_and_its_topics_stay_unless_they_say_delete(wanted: Plan) -> None:
    seen = as_planned(wanted)
    doomed = replace(seen.topics["shop.clicks"], deletion_policy="Delete")
    steps = by_id(teardown("shop", replace(seen, topics={**seen.topics, "shop.clicks": doomed})))
    assert steps["topic/shop.page_views"].action is Action.RETAIN
    assert steps["topic/shop.clicks"].action is Action.DELETE
    assert "its events" in steps["topic/shop.clicks"].irreversible
    assert {"gateway/shop", "job/shop.views", "loader/shop.raw"} <= steps["topic/shop.clicks"].after


def test_a_topic_is_deleted_after_what_used_it_has_changed(wanted: Plan) -> None:
    seen = as_planned(wanted)
    left = ObservedTopic(3, {}, "shop", "Delete")
    stale = ObservedRun("older", "shop")
    seen = replace(seen, topics={**seen.topics, "shop.old": left}, jobs={"shop.views": stale}, gateways={"shop": stale})
    assert by_id(diff(wanted, seen))["topic/shop.old"].after == {"job/shop.views", "gateway/shop"}


def test_another_pipelines_things_are_not_ours_to_stop(wanted: Plan) -> None:
    seen = as_planned(wanted)
    others = replace(seen, jobs={**seen.jobs, "other.job": ObservedRun("digest", "other")})
    assert diff(wanted, others) == ()


def test_every_step_waits_only_for_steps_that_exist_and_none_waits_in_a_circle(wanted: Plan) -> None:
    steps = diff(wanted, Observed())
    done: set[str] = set()
    waiting = list(steps)
    while waiting:
        ready = [step for step in waiting if step.after <= done]
        assert ready, [step.id for step in waiting]
        done |= {step.id for step in ready}
        waiting = [step for step in waiting if step not in ready]
