import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from node.adapters.threads import mapper
from pipelines.domain.features import FeatureVector
from pipelines.extraction import fast, memory
from pipelines.extraction.memory import Memory
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
@pytest.mark.parametrize("shape", [1, (3, 4, 5), 700_000, (11, 256, 1024), (1, 5_000_001)])
def test_memory_of_any_size_holds_what_is_written_to_it(
    shape: int | tuple[int, ...], dtype: type[np.uint8] | type[np.int16] | type[np.float64]
) -> None:
    found, nothing = memory.empty(shape, dtype), Memory().zeros(shape, dtype)
    assert found.shape == nothing.shape == np.empty(shape).shape
    assert found.dtype == nothing.dtype == dtype
    assert found.flags.c_contiguous
    assert found.flags.aligned
    numbers = np.arange(found.size).astype(dtype)
    found.reshape(-1)[:] = numbers
    assert np.array_equal(found.reshape(-1), numbers)
    assert not nothing.any()


def test_large_arrays_begin_on_a_huge_page() -> None:
    assert memory.empty((1000, 1000), np.float64).ctypes.data % 2**21 == 0


def test_the_memory_of_a_lesion_becomes_that_of_the_next() -> None:
    room = Memory()
    with room.borrowed(2_000_000, np.float64) as lent:
        first = lent.ctypes.data
    # what was lent is free again, what was given is not before the end of the lesion
    image, values = room.empty((100, 100, 100), np.float64), room.zeros((100, 100, 70), np.float64)
    assert image.ctypes.data == first
    assert not np.shares_memory(image, values)
    values.fill(7.0)
    place = values.ctypes.data
    room.reuse()
    again = room.zeros((100, 100, 60), np.float64)
    assert again.ctypes.data == place
    assert not again.any()


def test_a_larger_lesion_takes_the_place_of_a_smaller_one() -> None:
    room = Memory()
    for size in range(1_000_000, 9_000_000, 1_000_000):
        room.empty(size, np.uint8)
        room.empty(2 * size, np.uint8)
        room.reuse()
    assert room.size == 24_000_000


def test_threads_get_memory_of_their_own() -> None:
    room = Memory()

    def fill(number: int) -> bool:
        with room.borrowed(1_000_000, np.int64) as lent:
            lent.fill(number)
            time.sleep(0.001)
            return bool((lent == number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fill, range(200)))


def test_several_lesions_in_the_same_memory_have_the_features_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # these lesions are small
    monkeypatch.setattr(memory, "_LARGE", 1000)
    settings = load_profile("recommended")
    room = Memory()
    for kind in ("plain", "anisotropic", "one slice", "plain", "border"):
        drawn = KINDS[kind](np.random.default_rng(1))
        alone = fast.extract(drawn.ct, drawn.lesion, settings)
        together = fast.extract(drawn.ct, drawn.lesion, settings, mapper=mapper(3), room=room)
        assert isinstance(alone, FeatureVector)
        assert isinstance(together, FeatureVector)
        assert alone.values.tobytes() == together.values.tobytes()
    assert room.size > 100_000
