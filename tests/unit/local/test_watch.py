"""`--watch`: what changes is applied, what is invalid changes nothing and is told with its line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headrace.cli.watch import watch
from headrace.local.errors import PartError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: notes}
spec:
  topics:
    - name: notes
      schema: {definition: '{"type": "object", "properties": {"text": {"type": "string"}}}'}
"""


class Watched:
    """A file that is watched, what was applied, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pipeline.yaml"
        self.file.write_text(MANIFEST)
        self.applied: list[str] = []
        self.told: list[str] = []
        self.outcome: bool | PartError = True
        self.running: asyncio.Task[None] | None = None

    async def apply(self, texts: dict[str, str]) -> bool:
        self.applied.append(texts[str(self.file)])
        if isinstance(self.outcome, PartError):
            raise self.outcome
        return self.outcome

    def tell(self, line: str) -> None:
        self.told.append(line)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Ends by the test's deadline when it never comes."""
        while not condition():
            assert self.running is not None
            assert not self.running.done(), self.running
            await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(folder: Path, start: str = MANIFEST) -> AsyncIterator[Watched]:
    watched = Watched(folder)
    watched.running = asyncio.create_task(
        watch([watched.file], {str(watched.file): start}, watched.apply, watched.tell)
    )
    try:
        await watched.until(lambda: bool(watched.told))
        yield watched
    finally:
        watched.running.cancel()
        await asyncio.gather(watched.running, return_exceptions=True)


async def edited(watched: Watched, text: str, line: str) -> None:
    """Writes, and waits until the watcher has told a line with that in it."""
    seen = len(watched.told)
    watched.file.write_text(text)
    await watched.until(lambda: any(line in told for told in watched.told[seen:]))


async def test_a_change_during_the_start_is_applied_at_once(tmp_path: Path) -> None:
    async with watching(tmp_path, start="what ran before") as watched:
        await watched.until(lambda: any(line.startswith("applied in ") for line in watched.told))
        assert watched.applied == [MANIFEST]


async def test_a_file_that_is_the_same_again_is_not_applied(tmp_path: Path) -> None:
    async with watching(tmp_path, start="before") as watched:
        await watched.until(lambda: len(watched.applied) == 1)
        watched.file.write_text(MANIFEST)
        changed = MANIFEST.replace("metadata: {name: notes}", "metadata: {name: notes}  # changed")
        await edited(watched, changed, "applied in ")
        assert watched.applied == [MANIFEST, changed]


async def test_an_invalid_edit_is_told_with_its_line_and_leaves_everything(tmp_path: Path) -> None:
    async with watching(tmp_path, start="before") as watched:
        await watched.until(lambda: len(watched.applied) == 1)
        await edited(watched, MANIFEST.replace("topics:", "topicz:"), "what runs is left as it is")
        assert any("pipeline.yaml:5:3" in line and "did you mean 'topics'?" in line for line in watched.told)
        assert watched.applied == [MANIFEST]
        repaired = MANIFEST.replace("name: notes}", "name: notes, labels: {a: b}}")
        await edited(watched, repaired, "applied in ")
        assert watched.applied == [MANIFEST, repaired]


async def test_a_file_moved_into_place_counts_and_one_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async with watching(tmp_path, start="before") as watched:
        await watched.until(lambda: len(watched.applied) == 1)
        gone = len(watched.told)
        watched.file.unlink()
        await watched.until(lambda: any("cannot be read" in line for line in watched.told[gone:]))
        other = tmp_path / ".pipeline.yaml.swp"
        other.write_text(MANIFEST + "# edited\n")
        other.rename(watched.file)
        await watched.until(lambda: watched.applied[-1].endswith("# edited\n"))


async def test_what_cannot_be_applied_is_told_and_watching_goes_on(tmp_path: Path) -> None:
    async with watching(tmp_path, start="before") as watched:
        await watched.until(lambda: len(watched.applied) == 1)
        watched.outcome = PartError("no broker")
        await edited(watched, MANIFEST + "# 1\n", "not applied: no broker")
        watched.outcome = False
        await edited(watched, MANIFEST + "# 2\n", "not all of it could be applied")
