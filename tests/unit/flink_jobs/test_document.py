"""What the job runner accepts as a job document. Only what works without PyFlink is imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headrace_flink.document import DocumentError, parse_document, read_document

GOLDEN = Path(__file__).parents[2] / "golden" / "flink"
GOOD: dict[str, Any] = {
    "document": "headrace.job/v1",
    "name": "clickstream.page-views",
    "parallelism": 1,
    "config": {"state.backend.type": "hashmap"},
    "statements": ["CREATE …"],
    "inserts": ["INSERT …"],
}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_the_golden_documents_are_read(path: Path) -> None:
    document = read_document(path)
    assert document.name.startswith("clickstream.")
    assert document.inserts[-1].startswith("INSERT INTO `__dead_letters`")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"document": "headrace.job/v2"}, '"document" must be "headrace.job/v1"'),
        ({"document": None}, '"document" must be'),
        ({"name": ""}, "name:"),
        ({"parallelism": 0}, "parallelism:"),
        ({"parallelism": True}, "parallelism:"),
        ({"config": {"a": 1}}, "config:"),
        ({"statements": "CREATE"}, "statements:"),
        ({"inserts": []}, "inserts:"),
        ({"inserts": [1]}, "inserts:"),
        ({"savepoint": "x"}, "savepoint"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], names: str) -> None:
    with pytest.raises(DocumentError, match=names):
        parse_document(json.dumps(GOOD | change))


@pytest.mark.parametrize("text", ["", "[]", "1", "null", "{", b"\xff\xfe"])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(DocumentError):
        parse_document(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.json cannot be read: No such file"):
        read_document(tmp_path / "nowhere.json")
