"""Which state a job resumes from: the newest complete checkpoint or savepoint that its earlier runs left."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

METADATA = "_metadata"  # Flink writes it last: a folder without it is half a checkpoint


def newest_state(checkpoints: Path, savepoints: Path, savepoint: str | None) -> str | None:
    """The URI of the newest complete one: below `checkpoints` (`<Flink job id>/chk-<n>`), below `savepoints`, or
    `savepoint`. One that Flink completed after we gave up on it is below `savepoints` and recorded nowhere."""
    candidates = [metadata.parent for metadata in checkpoints.glob(f"*/chk-*/{METADATA}")]
    candidates += [metadata.parent for metadata in savepoints.glob(f"*/{METADATA}")]
    if savepoint is not None:
        folder = path_of(savepoint)
        if (folder / METADATA).is_file():
            candidates.append(folder)
    if not candidates:
        return None
    return max(candidates, key=lambda folder: (folder / METADATA).stat().st_mtime_ns).as_uri()


def path_of(uri: str) -> Path:
    """The path of a `file:` URI, or of a plain path."""
    return Path(unquote(urlparse(uri).path)) if uri.startswith("file:") else Path(uri)
