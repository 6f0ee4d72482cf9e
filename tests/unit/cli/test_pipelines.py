"""What runs is found in the documents that were handed over; names mean what they say, or are told to be ambiguous."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from headrace.cli.completion import complete_pipeline, complete_stream, complete_topic
from headrace.cli.pipelines import RunningPipeline, RunningPipelines, find_pipelines, read_pipelines
from headrace.core.documents import GatewayDocument, GatewayView, JobDocument
from headrace.local.errors import PartError

from ..dead_letters.letters_made import DOCUMENT

VIEW = GatewayView(name="by-user", topic="orders", scopes=())
SHOP = DOCUMENT.model_copy(update={"views": (VIEW,)})
OTHER = DOCUMENT.model_copy(update={"pipeline": "other", "dead_letter_topic": "other.dead-letters"})


def running(*documents: GatewayDocument) -> RunningPipelines:
    found = {d.pipeline: RunningPipeline(d.pipeline, "http://g", d, (), ()) for d in documents}
    return RunningPipelines(Path("state"), {}, found)


@pytest.mark.parametrize("name", ["orders", "shop.orders", "by-user", "shop.by-user"])
def test_a_topic_is_found_by_its_names_and_by_its_view(name: str) -> None:
    pipeline, topic = running(SHOP).topic(name)
    assert (pipeline.name, topic.name) == ("shop", "orders")


def test_a_topic_of_two_pipelines_must_be_named_whole() -> None:
    both = running(SHOP, OTHER.model_copy(update={"topics": SHOP.topics}))
    with pytest.raises(typer.BadParameter, match="in several pipelines"):
        both.topic("orders")
    assert both.topic("other.orders")[0].name == "other"


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(typer.BadParameter, match=r"there are: shop\.orders"):
        running(SHOP).topic("order")
    with pytest.raises(typer.BadParameter, match="did you mean 'shop'"):
        running(SHOP).named("shp")
    with pytest.raises(typer.BadParameter, match="several pipelines run"):
        running(SHOP, OTHER).named(None)


def test_nothing_that_runs_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PartError, match="nothing runs on") as error:
        find_pipelines(tmp_path)
    assert "headrace up" in str(error.value)


def job(name: str) -> str:
    return JobDocument(name=name, parallelism=1, config={}, statements=(), inserts=()).to_json()


def test_documents_are_read_by_what_the_status_names(tmp_path: Path) -> None:
    (tmp_path / "gateway-shop.json").write_text(SHOP.to_json())
    (tmp_path / "job-shop.count.json").write_text(job("shop.count"))
    (tmp_path / "job-shop.count.new.json").write_text(job("shop.count"))
    (tmp_path / "job-shop.gone.json").write_text(job("shop.gone"))
    (tmp_path / "job-shop.torn.json").write_text("{")
    resources = ["topic/shop.orders", "job/shop.count", "job/shop.torn", "loader/shop.late"]
    found = read_pipelines(tmp_path, {"shop": "http://g", "starting": "http://h"}, resources)
    assert list(found) == ["shop"]
    assert [entry.name for entry in found["shop"].jobs] == ["shop.count"]
    assert found["shop"].loaders == ()


class Context:
    def __init__(self, state: Path) -> None:
        self.params = {"state": state}


def test_the_shell_completes_from_the_state_and_is_silent_without_one(tmp_path: Path) -> None:
    context: typer.Context = Context(tmp_path)  # type: ignore[assignment]
    assert complete_topic(context, "") == []
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "gateway-shop.json").write_text(SHOP.to_json())
    assert complete_topic(context, "or") == ["orders"]
    assert complete_stream(context, "") == ["by-user", "dlq", "orders"]
    assert complete_pipeline(context, "s") == ["shop"]
    (tmp_path / "documents" / "gateway-other.json").write_text(OTHER.to_json())
    assert complete_topic(context, "") == ["other.orders", "shop.orders"]
    (tmp_path / "documents" / "gateway-torn.json").write_text("{")
    assert complete_topic(context, "shop") == ["shop.orders"]
