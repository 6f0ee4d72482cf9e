"""The machine's Java if it is new enough, else the bundled one; a clear line when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.local.errors import PartError
from headrace.local.java import JAVA_VARIABLE, bundled_java, find_java


def java_home(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    binary = folder / "bin" / "java"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="Someone"\nJAVA_VERSION="{version}"\n')
    return folder


def test_the_machines_java_serves_when_it_is_new_enough(tmp_path: Path) -> None:
    home = java_home(tmp_path / "seventeen", "17.0.15")
    found = find_java(17, "Kafka", {"JAVA_HOME": str(home)}, lambda: None)
    assert (found.version, found.binary) == (17, home / "bin" / "java")


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    first, second = java_home(tmp_path / "a", "21.0.1"), java_home(tmp_path / "b", "25")
    environ = {"JAVA_HOME": str(first), "PATH": str(second / "bin")}
    assert find_java(17, "Kafka", environ, lambda: None).binary == first / "bin" / "java"


def test_an_old_java_is_passed_over_for_the_bundled_one(tmp_path: Path) -> None:
    old, bundled = java_home(tmp_path / "old", "17.0.1"), java_home(tmp_path / "new", "25.0.2")
    found = find_java(21, "the registry", {"JAVA_HOME": str(old)}, lambda: bundled / "bin" / "java")
    assert found.version == 25


def test_no_java_is_said_with_what_was_found(tmp_path: Path) -> None:
    old = java_home(tmp_path / "old", "11.0.2")
    with pytest.raises(PartError) as caught:
        find_java(17, "Kafka", {"JAVA_HOME": str(old), "PATH": ""}, lambda: None)
    assert "Kafka needs Java 17 or newer; found" in caught.value.what
    assert "Java 11" in caught.value.what
    assert "JAVA_HOME" in caught.value.todo


def test_a_forced_java_that_is_too_old_is_refused(tmp_path: Path) -> None:
    old = java_home(tmp_path / "old", "17.0.1")
    with pytest.raises(PartError, match="is Java 17"):
        find_java(21, "the registry", {JAVA_VARIABLE: str(old)})


def test_a_forced_java_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartError, match="is not a Java"):
        find_java(17, "Kafka", {JAVA_VARIABLE: str(tmp_path)})


def test_the_bundled_java_is_new_enough_for_every_part() -> None:
    bundled = bundled_java()
    assert bundled is not None
    assert find_java(21, "the registry", {"PATH": ""}, lambda: bundled).version >= 21
