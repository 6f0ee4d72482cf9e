"""Coroutine tests run on asyncio, in the main thread: the supervisor forks from it."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
