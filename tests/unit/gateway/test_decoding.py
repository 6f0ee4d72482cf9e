"""Compressed bodies: however they were cut into members, they come out whole or not at all."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

import pytest
import zstandard

from headrace_apps.gateway.decoding import MAX_MEMBERS, decode_body
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import Problem

NOISE = random.Random(7).randbytes(300_000)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
MAKERS = pytest.mark.parametrize("encoding", list(COMPRESS))


@MAKERS
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 300_000])
def test_members_of_any_size_come_out_whole(encoding: str, size: int) -> None:
    parts = [NOISE[:size], b"x" * size, b"", NOISE[:100]]
    body = b"".join(COMPRESS[encoding](part) for part in parts)
    assert decode_body(body, encoding, Limits()) == b"".join(parts)


@MAKERS
def test_a_body_in_blocks_of_64_kib_is_taken(encoding: str) -> None:
    plain = NOISE[:65_280] * 160
    blocks = [COMPRESS[encoding](plain[i : i + 65_280]) for i in range(0, len(plain), 65_280)]
    assert decode_body(b"".join([*blocks, COMPRESS[encoding](b"")]), encoding, Limits()) == plain


@MAKERS
def test_more_members_than_that_are_refused(encoding: str) -> None:
    member = COMPRESS[encoding](b"a")
    assert decode_body(member * MAX_MEMBERS, encoding, Limits()) == b"a" * MAX_MEMBERS
    with pytest.raises(Problem, match="members"):
        decode_body(member * (MAX_MEMBERS + 1), encoding, Limits())


@MAKERS
@pytest.mark.parametrize("size", [1, 1000, 200_000])
def test_a_body_that_ends_too_early_is_refused_wherever_it_was_cut(encoding: str, size: int) -> None:
    whole = COMPRESS[encoding](NOISE[:size])
    for cut in {1, 5, len(whole) // 2, len(whole) - 4, len(whole) - 1}:
        with pytest.raises(Problem, match="ends too early"):
            decode_body(whole + whole[:cut], encoding, Limits())


@MAKERS
def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(encoding: str) -> None:
    limits = Limits(max_body=100_000)
    assert len(decode_body(COMPRESS[encoding](bytes(100_000)), encoding, limits)) == 100_000
    with pytest.raises(Problem, match="100000 bytes"):
        decode_body(COMPRESS[encoding](bytes(100_001)), encoding, limits)


def test_a_zstd_frame_to_skip_is_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    assert decode_body(skipped + zstandard.compress(b"x") + skipped, "zstd", Limits()) == b"x"


def test_a_member_of_a_million_empty_blocks_is_an_empty_body() -> None:
    body = gzip.compress(b"")[:10] + b"\x00\x00\x00\xff\xff" * 1_000_000 + b"\x03\x00" + bytes(8)
    assert decode_body(body, "gzip", Limits()) == b""
