"""Names of objects: such as Kubernetes takes, and never one for two things."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.kubernetes.render.names import LIMIT, object_name, topic_object_name

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Words of the names themselves, so that random names come close to each other.
WORDS = st.lists(st.sampled_from(["a", "b", "job", "sink", "gateway", "views", "x" * 20]), min_size=1, max_size=4)
LABELS = WORDS.map("-".join).filter(lambda text: len(text) <= 63)
PARTS = st.one_of(
    st.tuples(LABELS, st.sampled_from(["gateway", "views"]), st.just("")),
    st.tuples(LABELS, st.sampled_from(["job", "sink"]), LABELS),
)
KAFKA_NAMES = st.text("abAB01._-", min_size=1, max_size=249)


@settings(max_examples=300, deadline=None)
@given(PARTS, PARTS)
def test_two_parts_have_two_names(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    for part in (one, other):
        assert LABEL.fullmatch(object_name(*part))
        assert len(object_name(*part)) <= LIMIT
    assert (object_name(*one) == object_name(*other)) == (one == other)


@settings(max_examples=300, deadline=None)
@given(KAFKA_NAMES, KAFKA_NAMES)
def test_two_topics_have_two_names(one: str, other: str) -> None:
    for name in (one, other):
        assert all(LABEL.fullmatch(label) for label in topic_object_name(name).split("."))
        assert len(topic_object_name(name)) <= 253
    assert (topic_object_name(one) == topic_object_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (("clickstream", "gateway", ""), "clickstream-gateway"),
        (("clickstream", "job", "page-views"), "clickstream-job-page-views"),
        # The same plain name for another pipeline: the longer one's is marked.
        (("clickstream-job-page", "views", ""), "clickstream-job-page-views-553576a9"),
        (
            ("clickstream", "sink", "a-rather-long-name-of-a-sink-indeed"),
            "clickstream-sink-a-rather-long-name-d7825eaa",
        ),
    ],
)
def test_a_name_tells_what_it_is_of(part: tuple[str, str, str], name: str) -> None:
    assert object_name(*part) == name


def test_a_topic_keeps_its_name_where_an_object_may_have_it() -> None:
    assert topic_object_name("clickstream.clicks") == "clickstream.clicks"
    assert topic_object_name("Team_A.clickstream.page_views").startswith("team-a.clickstream.page-views-")
