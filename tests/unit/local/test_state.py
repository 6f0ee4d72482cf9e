"""What a state folder remembers, and from which state a job resumes."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from headrace.local.checkpoints import newest_state
from headrace.local.control import LONGEST_SOCKET_PATH, socket_path
from headrace.local.errors import PartError
from headrace.local.keys import AUDIENCE, ISSUER, jwks_file, sign_token
from headrace.local.processes import logs
from headrace.local.state import JobRecord, Records, StateLock, TopicRecord, state_worded, write_whole


def test_records_are_read_back_as_they_were_saved(tmp_path: Path) -> None:
    records = Records.read(tmp_path)
    records.topics["shop.orders"] = TopicRecord(owner="shop", deletion_policy="Delete")
    records.jobs["shop.totals"] = JobRecord(owner="shop", digest="d", flink_id="f", savepoint="file:///s")
    records.save(tmp_path)
    assert Records.read(tmp_path) == records


def test_damaged_records_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "records.json").write_text('{"topics": 5}')
    with pytest.raises(PartError, match="is damaged") as caught:
        Records.read(tmp_path)
    assert "start anew" in caught.value.todo


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "key", "old", mode=0o600)
    write_whole(tmp_path / "a" / "key", "new", mode=0o600)
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["key"]
    assert (tmp_path / "a" / "key").read_text() == "new"


def test_one_process_holds_a_state(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    assert lock.take()
    other = f"from headrace.local.state import StateLock; from pathlib import Path; print(StateLock(Path({str(tmp_path)!r})).take())"
    ask = [sys.executable, "-c", other]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() == "False"
    lock.release()
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() == "True"


def checkpoint(folder: Path, age: int, whole: bool = True) -> Path:
    folder.mkdir(parents=True)
    (folder / "state").touch()
    if whole:
        (folder / "_metadata").touch()
        os.utime(folder / "_metadata", (1_000_000 - age, 1_000_000 - age))
    return folder


def test_a_job_without_earlier_runs_starts_anew(tmp_path: Path) -> None:
    assert newest_state(tmp_path / "none", tmp_path / "none", None) is None


def test_a_job_resumes_from_its_newest_complete_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path / "run1" / "chk-9", age=30)
    newest = checkpoint(tmp_path / "run2" / "chk-2", age=10)
    checkpoint(tmp_path / "run2" / "chk-3", age=0, whole=False)
    assert newest_state(tmp_path, tmp_path / "none", None) == newest.as_uri()


def test_a_savepoint_counts_when_it_is_newer(tmp_path: Path) -> None:
    checkpoint(tmp_path / "job" / "run" / "chk-2", age=10)
    savepoint = checkpoint(tmp_path / "save points" / "savepoint-1", age=5)
    assert newest_state(tmp_path / "job", tmp_path / "none", savepoint.as_uri()) == savepoint.as_uri()
    old = checkpoint(tmp_path / "save points" / "savepoint-0", age=50)
    assert newest_state(tmp_path / "job", tmp_path / "none", old.as_uri()) != old.as_uri()


def test_a_savepoint_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    assert newest_state(tmp_path, tmp_path / "none", (tmp_path / "gone").as_uri()) is None


def test_a_token_is_good_for_the_published_key(tmp_path: Path) -> None:
    token = sign_token(tmp_path, ["shop.orders:write", "shop.orders:read"], 60, clock=lambda: 1_900_000_000)
    key = jwt.PyJWKSet.from_json(jwks_file(tmp_path).read_text())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert claims["scope"] == "shop.orders:write shop.orders:read"
    assert claims["exp"] == 1_900_000_060


def test_the_private_key_is_the_users_alone(tmp_path: Path) -> None:
    sign_token(tmp_path, ["a"], 60)
    assert stat.S_IMODE((tmp_path / "keys" / "private.pem").stat().st_mode) == 0o600


def test_a_socket_never_has_a_path_that_is_too_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80) / ("e" * 80)
    assert len(os.fsencode(socket_path(deep))) <= LONGEST_SOCKET_PATH
    assert socket_path(deep) != socket_path(deep / "other")
    assert socket_path(Path("/s")) == Path("/s/control.sock")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_a_state_folder_that_cannot_be_written_is_named_with_the_option_that_helps(tmp_path: Path, number: int) -> None:
    with pytest.raises(PartError) as caught, state_worded(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in caught.value.what
    assert "--state" in caught.value.todo


def test_any_other_error_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), state_worded(tmp_path):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def test_a_log_stays_bounded_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, copy: Path) -> None:
        copy.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    log = tmp_path / "kafka.log"
    log.write_text("x" * 100)
    logs.bound(log, max_bytes=50)
    assert (log.stat().st_size, [file.name for file in tmp_path.iterdir()]) == (0, ["kafka.log"])


def test_a_savepoint_that_nobody_recorded_is_found(tmp_path: Path) -> None:
    """Flink may complete it after the request for it was given up."""
    late = tmp_path / "savepoints" / "savepoint-1"
    late.mkdir(parents=True)
    (late / "_metadata").touch()
    assert newest_state(tmp_path / "none", late.parent, None) == late.as_uri()
