"""The control socket of a running `up`: who reaches it, and what a request that fails is answered with."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from headrace.local.control import Say, ask, serving, socket_path
from headrace.local.errors import PartError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


async def nothing(_: dict[str, Any], __: Say) -> dict[str, Any]:
    return {"code": 0}


async def test_the_socket_is_the_users_alone_and_the_umask_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[int] = []

    def umask(mask: int) -> int:
        touched.append(mask)
        return 0o022

    monkeypatch.setattr(os, "umask", umask)
    async with serving(tmp_path, nothing):
        assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) == 0o600
        assert await ask(tmp_path, {"do": "anything"}, print) == {"code": 0}
    assert touched == []
    assert not socket_path(tmp_path).exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("the broker does not answer"), "the broker does not answer"),
        (PartError("port 1 is in use", "choose another"), "port 1 is in use\n  → choose another"),
    ],
)
async def test_a_request_that_cannot_be_done_now_is_answered_with_why(
    tmp_path: Path, error: Exception, words: str
) -> None:
    async def failing(_: dict[str, Any], __: Say) -> dict[str, Any]:
        raise error

    said: list[str] = []
    async with serving(tmp_path, failing):
        assert (await ask(tmp_path, {"do": "plan"}, said.append))["code"] == 3
        assert said == [words]
        assert (await ask(tmp_path, {"do": "plan"}, said.append))["code"] == 3


async def test_nothing_that_runs_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await ask(tmp_path, {"do": "status"}, print)


async def test_an_answer_that_is_cut_off_is_told_as_such(tmp_path: Path) -> None:
    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), socket_path(tmp_path))
    try:
        with pytest.raises(ConnectionError):
            await ask(tmp_path, {"do": "apply"}, print)
    finally:
        server.close()
