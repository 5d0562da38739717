import numpy as np
import pytest

from pipelines.extraction import memory


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
@pytest.mark.parametrize("shape", [1, (3, 4, 5), 700_000, (11, 256, 1024), (1, 5_000_001)])
def test_memory_of_any_size_holds_what_is_written_to_it(
    shape: int | tuple[int, ...], dtype: type[np.uint8] | type[np.int16] | type[np.float64]
) -> None:
    found, nothing = memory.empty(shape, dtype), memory.zeros(shape, dtype)
    assert found.shape == nothing.shape == np.empty(shape).shape
    assert found.dtype == nothing.dtype == dtype
    assert found.flags.c_contiguous
    assert found.flags.aligned
    numbers = np.arange(found.size).astype(dtype)
    found.reshape(-1)[:] = numbers
    assert np.array_equal(found.reshape(-1), numbers)
    assert not nothing.any()


def test_large_arrays_begin_on_a_huge_page() -> None:
    assert memory.zeros((1000, 1000), np.float64).ctypes.data % 2**21 == 0
