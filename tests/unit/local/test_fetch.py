"""Parts arrive whole, verified, once; what goes wrong is one line that says what to do."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.parts import fetch as fetch_module
from headrace.local.parts.fetch import MIRROR_VARIABLE, Fetcher, base_url
from headrace.local.parts.lock import Part, read_lock

CONTENT = bytes(range(256)) * 2000
PART = Part("org.example:thing:1.0:jar", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
MIRROR = {MIRROR_VARIABLE: "http://mirror.example/maven/"}

Answer = Callable[[httpx.Request], httpx.Response]


class Repository(httpx.AsyncBaseTransport):
    """Answers from a list, the last answer for ever; keeps the requests."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request)


def whole(request: httpx.Request) -> httpx.Response:
    """As repositories do: a Range is answered with 206."""
    start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    return httpx.Response(206 if start else 200, stream=httpx.ByteStream(CONTENT[start:]))


def bytes_of(content: bytes) -> Answer:
    return lambda _: httpx.Response(200, stream=httpx.ByteStream(content))


def status(code: int) -> Answer:
    return lambda _: httpx.Response(code)


def fetcher(folder: Path, repository: httpx.AsyncBaseTransport, said: list[Any] | None = None) -> Fetcher:
    announcer = LineAnnouncer((said if said is not None else []).append)
    return Fetcher(folder, announcer, MIRROR, repository, backoff=0.001)


def fetch(folder: Path, repository: Repository) -> Path:
    [path] = asyncio.run(fetcher(folder, repository).fetch("things", [PART]))
    return path


def test_a_part_is_kept_under_its_maven_path(tmp_path: Path) -> None:
    path = fetch(tmp_path, repository := Repository(whole))
    assert path == tmp_path / "org/example/thing/1.0/thing-1.0.jar"
    assert path.read_bytes() == CONTENT
    assert str(repository.requests[0].url) == "http://mirror.example/maven/org/example/thing/1.0/thing-1.0.jar"


def test_a_part_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    fetch(tmp_path, Repository(whole))
    fetch(tmp_path, again := Repository(status(500)))
    assert again.requests == []


def test_a_damaged_part_is_fetched_again(tmp_path: Path) -> None:
    path = fetch(tmp_path, Repository(whole))
    path.write_bytes(CONTENT[:-1] + b"!")
    assert fetch(tmp_path, Repository(whole)).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = fetch(tmp_path, repository := Repository(bytes_of(CONTENT[:1000]), whole))
    assert path.read_bytes() == CONTENT
    assert repository.requests[1].headers["range"] == "bytes=1000-"


def test_a_repository_without_ranges_is_read_from_the_beginning(tmp_path: Path) -> None:
    repository = Repository(bytes_of(CONTENT[:1000]), bytes_of(CONTENT))
    assert fetch(tmp_path, repository).read_bytes() == CONTENT


def test_a_connection_that_fails_is_tried_again(tmp_path: Path) -> None:
    repository = Repository(httpx.ConnectError("refused"), status(503), whole)
    assert fetch(tmp_path, repository).read_bytes() == CONTENT


def test_a_wrong_checksum_is_fetched_once_more(tmp_path: Path) -> None:
    wrong = bytes(len(CONTENT))
    assert fetch(tmp_path, Repository(bytes_of(wrong), whole)).read_bytes() == CONTENT


def test_a_checksum_that_stays_wrong_names_file_expected_and_got(tmp_path: Path) -> None:
    wrong = bytes(len(CONTENT))
    with pytest.raises(PartError) as caught:
        fetch(tmp_path, repository := Repository(bytes_of(wrong)))
    assert len(repository.requests) == 2
    for named in ("thing-1.0.jar", PART.sha256, hashlib.sha256(wrong).hexdigest()):
        assert named in caught.value.what
    assert not list(tmp_path.rglob("*.jar")), "nothing that is wrong may stay under its final name"


@pytest.mark.parametrize(
    ("answer", "said", "todo"),
    [
        (status(404), "not at http://mirror.example/maven/", MIRROR_VARIABLE),
        (status(403), "HTTP 403", MIRROR_VARIABLE),
        (httpx.ConnectError("no route"), "cannot reach http://mirror.example/maven/", "network"),
    ],
)
def test_what_the_network_refuses_is_said_with_what_to_do(
    tmp_path: Path, answer: Answer | Exception, said: str, todo: str
) -> None:
    with pytest.raises(PartError) as caught:
        fetch(tmp_path, Repository(answer))
    assert said in caught.value.what
    assert todo in caught.value.todo


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "cannot write"), (errno.EACCES, "cannot write")]
)
def test_what_the_disk_refuses_is_said_with_what_to_do(
    tmp_path: Path, number: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def write(self, _: bytes) -> int:
            raise OSError(number, "refused")

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(Path, "open", lambda *_, **__: FullDisk())
    with pytest.raises(PartError) as caught:
        fetch(tmp_path, Repository(whole))
    assert said in caught.value.what
    assert "HEADRACE_CACHE" in caught.value.todo


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real thing: /dev/full refuses every byte."""
    real_open = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r", *rest, **named: real_open(
            Path("/dev/full") if path.suffix == ".part" else path, mode, *rest, **named
        ),
    )
    with pytest.raises(PartError, match="no space left"):
        fetch(tmp_path, Repository(whole))


def test_two_at_once_fetch_a_part_once(tmp_path: Path) -> None:
    repository = Repository(whole)

    async def both() -> None:
        await asyncio.gather(*(fetcher(tmp_path, repository).fetch("things", [PART]) for _ in range(2)))

    asyncio.run(both())
    assert len(repository.requests) == 1


def test_without_a_mirror_the_resolvers_repository_serves() -> None:
    assert base_url({}).startswith("https://")
    assert base_url(MIRROR) == "http://mirror.example/maven"


def test_the_lock_has_every_set_with_checksums() -> None:
    lock = read_lock()
    assert set(lock) == {"kafka", "apicurio", "flink-connectors", "ecj"}
    assert all(len(part.sha256) == 64 and part.size > 0 for parts in lock.values() for part in parts)


def test_brokers_and_clients_are_of_one_version() -> None:
    """A resolver that takes managed versions from log4j's POM would pair this broker with an older client."""
    names = {part.file_name for part in read_lock()["kafka"]}
    assert {"kafka_2.13-4.4.0.jar", "kafka-clients-4.4.0.jar"} <= names


def test_downloads_are_bounded() -> None:
    assert fetch_module.CONCURRENT_DOWNLOADS <= 8
