"""Ports stay the same between runs; one that the user chose and that is in use is refused, with who uses it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.local.errors import PartError
from headrace.local.ports import LOOPBACK, Ports, is_free


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_is_kept_for_the_next_run(tmp_path: Path) -> None:
    first = Ports(tmp_path / "ports.json").port("kafka")
    assert Ports(tmp_path / "ports.json").port("kafka") == first


def test_two_services_have_two_ports(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    assert ports.port("kafka") != ports.port("registry")


def test_a_chosen_port_that_is_in_use_names_its_user(tmp_path: Path, busy: int) -> None:
    with pytest.raises(PartError) as caught:
        Ports(tmp_path / "ports.json", {"kafka": busy}).port("kafka")
    assert f"port {busy} for kafka is in use" in caught.value.what
    assert f"pid {os.getpid()}" in caught.value.what


def test_a_kept_port_that_is_in_use_moves_and_says_so(tmp_path: Path, busy: int) -> None:
    file = tmp_path / "ports.json"
    file.write_text(f'{{"kafka": {busy}}}')
    said: list[str] = []
    port = Ports(file, say=said.append).port("kafka")
    assert port != busy
    assert f"port {busy} of kafka is in use" in said[0]


def test_a_preferred_port_is_taken_when_it_is_free(tmp_path: Path, busy: int) -> None:
    assert Ports(tmp_path / "ports.json").port("gateway", prefer=busy) != busy


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("[nothing")
    assert is_free(Ports(tmp_path / "ports.json").port("kafka"))


def test_a_port_that_another_run_chose_is_not_chosen_again_before_anything_listens(tmp_path: Path) -> None:
    first = Ports(tmp_path / "a" / "ports.json")
    gateway = first.port("gateway")
    second = Ports(tmp_path / "b" / "ports.json", {"gateway": gateway})
    with pytest.raises(PartError, match=f"port {gateway}"):
        second.port("gateway")
    assert Ports(tmp_path / "c" / "ports.json").port("gateway", prefer=gateway) != gateway


def test_a_claims_folder_that_cannot_be_entered_is_healed(tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    claims.mkdir()
    claims.chmod(0o600)
    Ports(tmp_path / "ports.json", claims=claims).port("kafka")
    assert stat.S_IMODE(claims.stat().st_mode) == 0o700


def test_a_port_that_the_user_chose_for_one_part_is_no_other_parts(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    kept = Ports(file, claims=tmp_path / "first").port("kafka")
    said: list[str] = []
    ports = Ports(file, {"gateway": kept}, said.append, tmp_path / "second")
    assert ports.port("kafka") != kept
    assert ports.port("registry", prefer=kept) != kept
    assert ports.port("gateway") == kept
    assert said == [f"port {kept} of kafka was chosen for another part; using {ports.port('kafka')}"]
