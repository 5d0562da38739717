import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.imaging.rle import DamagedRle, decode_rle
from tests.pipelines.imaging.test_seg import pack_bits, rle_frame


@given(st.lists(st.binary(min_size=40, max_size=40), min_size=1, max_size=4))
def test_what_was_packed_comes_out(segments: list[bytes]) -> None:
    decoded = decode_rle(rle_frame(*segments), (40,))
    assert [plane.tobytes() for plane in decoded] == segments


def test_a_run_a_literal_and_a_control_without_meaning() -> None:
    # PS3.5 G.3.1: -1 repeats twice, 2 copies three bytes, -128 does nothing
    body = bytes([255, 7, 128, 2, 1, 2, 3])
    frame = rle_frame(b"")[:64] + body
    assert decode_rle(frame, (5,))[0].tolist() == [7, 7, 1, 2, 3]
    assert pack_bits(b"\x07\x07") == bytes([255, 7])


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_damage_is_told_and_memory_is_bounded(noise: bytes, count: int, offset: int) -> None:
    for frame in (noise, count.to_bytes(4, "little") + offset.to_bytes(4, "little") + noise):
        try:
            planes = decode_rle(frame, (128, 1024))
        except DamagedRle:
            continue
        assert all(len(plane) in (128, 1024) for plane in planes)


def test_a_bomb_is_stopped_at_the_size_of_a_frame() -> None:
    frame = rle_frame(np.zeros(10_000_000, np.uint8).tobytes())
    with pytest.raises(DamagedRle, match="more than a frame"):
        decode_rle(frame, (100,))
