"""Python environments of parts that cannot live in Headrace's own: Flink, and Snowflake's stand-in.

Each is a virtual environment in the cache, named by the hash of its lock, made by uv with `--require-hashes`.
Complete environments carry a marker; a half-made one is made anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import headrace
from headrace.local.cache import exclusive, worded
from headrace.local.errors import PartError
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner
from headrace.local.site import Site

NEWEST_PYTHON = (3, 12)  # Flink has no wheels for newer ones
COMPLETE = ".complete"


@dataclass(frozen=True)
class Environment:
    """`lock` is the requirements file with hashes; `source` paths are tried in order (checkout, then wheel)."""

    name: str
    label: str
    lock: Path

    @property
    def key(self) -> str:
        content = self.lock.read_bytes() + f"{sys.version_info[:2]}{sys.platform}".encode()
        return hashlib.sha256(content).hexdigest()[:16]


def package_file(in_checkout: str, in_wheel: str) -> Path:
    """A file that a checkout has at one place and the wheel at another."""
    package = Path(headrace.__file__).parent
    checkout = package.parent.parent / in_checkout
    path = checkout if checkout.exists() else package / in_wheel
    if not path.exists():
        raise PartError(f"this installation of Headrace lacks {in_wheel}", "install Headrace again")
    return path


def flink_environment() -> Environment:
    lock = package_file("flink_jobs/requirements.txt", "_flink_jobs/requirements.txt")
    return Environment("flink", "Flink (PyFlink and its libraries, about 300 MB)", lock)


def stand_in_environment() -> Environment:
    lock = package_file("locks/snowflake-stand-in.txt", "_locks/snowflake-stand-in.txt")
    return Environment("snowflake-stand-in", "Snowflake's stand-in", lock)


def flink_jobs_folder() -> Path:
    """The folder that holds the package `headrace_flink`, to put on the Flink environment's path."""
    return package_file("flink_jobs", "_flink_jobs")


def check_python(version: tuple[int, int]) -> None:
    """Raises PartError for a Python that Flink has no wheel for."""
    if version > NEWEST_PYTHON:
        raise PartError(
            f"Python {version[0]}.{version[1]} is too new: Flink has no wheels beyond "
            f"{NEWEST_PYTHON[0]}.{NEWEST_PYTHON[1]}",
            "install Headrace with Python 3.11 or 3.12 (say, `uv venv --python 3.12`)",
        )


async def make_environment(site: Site, spawner: Spawner, environment: Environment) -> Path:
    """The environment's Python, the environment made if need be. Raises PartError."""
    check_python(sys.version_info[:2])
    target = site.cache / "environments" / f"{environment.name}-{environment.key}"
    python = target / "bin" / "python"
    if (target / COMPLETE).exists():
        return python
    with worded(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    async with exclusive(target):
        if (target / COMPLETE).exists():
            return python
        with site.announcer.work(f"installing {environment.label}"):
            with worded(target):
                await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
            await _uv(site, spawner, environment, "venv", "--python", sys.executable, str(target))
            await _uv(
                site, spawner, environment,
                "pip", "install", "--python", str(python), "--require-hashes", "-r", str(environment.lock),
            )  # fmt: skip
            with worded(target):
                (target / COMPLETE).touch()
    return python


async def _uv(site: Site, spawner: Spawner, environment: Environment, *arguments: str) -> None:
    from uv import find_uv_bin

    log = site.log(f"install-{environment.name}")
    environ = {name: value for name, value in site.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    with logs.open_log(log) as output:
        process = await spawner.start([find_uv_bin(), *arguments], output=output, environ=environ)
    try:
        code = await process.wait()
    finally:
        spawner.ended(process)
    if code == 0:
        return
    lines = logs.last_lines(log, 6)
    text = "\n".join(lines).lower()
    if "no space left" in text or "disk quota" in text:
        todo = "free about 2 GB, or set HEADRACE_CACHE (and UV_CACHE_DIR) to folders on another disk"
    elif "hash mismatch" in text:
        todo = "a package is not what the lock says: check what stands between this machine and the package index"
    else:
        todo = "check the network, and the package index that uv is set to use (UV_INDEX_URL); then run again"
    raise PartError(f"cannot install {environment.label}", todo, lines)


def pyflink_home(python: Path) -> Path:
    """The folder of the pyflink package in an environment."""
    major, minor = sys.version_info[:2]
    return python.parent.parent / "lib" / f"python{major}.{minor}" / "site-packages" / "pyflink"
