"""An archive as a folder of the cache: unpacked once, beside its final name, then renamed."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from pathlib import Path

from headrace.local.cache import exclusive, worded
from headrace.local.parts.fetch import Fetcher
from headrace.local.parts.lock import Part


async def fetch_unpacked(fetcher: Fetcher, label: str, part: Part, folder: Path) -> Path:
    """The folder of the archive's content. The archive is removed afterwards: the folder is what runs."""
    target = folder / f"{part.file_name.removesuffix('.tar.gz')}-{part.sha256[:12]}"
    if target.is_dir():
        return target
    async with exclusive(target):
        if target.is_dir():
            return target
        [archive] = await fetcher.fetch(label, [part])
        with fetcher.announcer.work(f"unpacking {label}"):
            await asyncio.to_thread(_unpack, archive, target)
        archive.unlink(missing_ok=True)
    return target


def _unpack(archive: Path, target: Path) -> None:
    half = target.with_name(target.name + ".half")
    with worded(target):
        shutil.rmtree(half, ignore_errors=True)  # left by a run that was killed
        half.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            tar.extractall(half, filter="data")
        half.rename(target)
