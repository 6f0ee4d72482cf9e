"""Environments of parts: only for Pythons that Flink has wheels for, and found in a checkout."""

from __future__ import annotations

import pytest

from headrace.local.environments import (
    check_python,
    flink_environment,
    flink_jobs_folder,
    package_file,
    stand_in_environment,
)
from headrace.local.errors import PartError


def test_a_python_too_new_is_said_with_what_to_do() -> None:
    with pytest.raises(PartError, match=r"Python 3\.13 is too new: Flink has no wheels beyond 3\.12") as caught:
        check_python((3, 13))
    assert "3.11 or 3.12" in caught.value.todo


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_the_pythons_with_wheels_serve(version: tuple[int, int]) -> None:
    check_python(version)


def test_environments_are_named_by_their_locks() -> None:
    flink, stand_in = flink_environment(), stand_in_environment()
    assert "apache-flink==2.2.1" in flink.lock.read_text()
    assert "fakesnow" in stand_in.lock.read_text()
    assert flink.key != stand_in.key


def test_locks_have_hashes() -> None:
    for environment in (flink_environment(), stand_in_environment()):
        assert "--hash=sha256:" in environment.lock.read_text()


def test_the_runner_is_found() -> None:
    assert (flink_jobs_folder() / "headrace_flink" / "__main__.py").is_file()


def test_an_installation_without_its_files_is_said() -> None:
    with pytest.raises(PartError, match="lacks _nowhere/file"):
        package_file("nowhere/file", "_nowhere/file")
