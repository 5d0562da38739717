import numpy as np
import pytest
import pywt

from pipelines.extraction.memory import Memory
from pipelines.extraction.region import region_of
from pipelines.extraction.wavelets import HIGH_TAPS, LOW_TAPS, sub_band_values, sub_bands


def test_the_taps_are_those_of_pywavelets() -> None:
    assert pywt.Wavelet("coif1").dec_lo == list(LOW_TAPS)
    assert pywt.Wavelet("coif1").dec_hi == list(HIGH_TAPS)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 10, 12), (7, 10, 11), (2, 9, 4)])
def test_every_band_equals_pywavelets_to_the_last_bit(shape: tuple[int, int, int], dtype: type[np.generic]) -> None:
    # in flat regions the bands are rounding noise around the edge of a grey level: the last bit decides
    image = (np.random.default_rng(1).normal(0.0, 300.0, shape)).astype(dtype)
    image[:, : shape[1] // 2] = -70
    wrapped = np.pad(image, [(0, size % 2) for size in shape], "wrap")
    expected = pywt.swtn(wrapped, "coif1", level=1, axes=(2, 1, 0))[0]
    whole = tuple(slice(0, size) for size in shape)
    for name, band in sub_bands(image, ((0, shape[0]), (0, shape[1]), (0, shape[2]))):
        wanted = expected[name.removeprefix("wavelet-").replace("L", "a").replace("H", "d")][whole]
        assert band.dtype == wanted.dtype
        assert np.array_equal(band, wanted), name


def test_a_band_of_a_part_is_the_part_of_the_band() -> None:
    image = np.random.default_rng(2).normal(0.0, 300.0, (12, 13, 14))
    whole = dict(sub_bands(image, ((0, 12), (0, 13), (0, 14))))
    for name, band in sub_bands(image, ((3, 12), (4, 9), (0, 5))):
        assert np.array_equal(band, whole[name][3:12, 4:9, 0:5])


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64"])
def test_the_values_of_a_lesion_are_those_of_the_whole_sub_bands(dtype: str) -> None:
    rng = np.random.default_rng(5)
    image = rng.normal(1500.0, 300.0, (12, 13, 14)).astype(dtype)
    # in the middle, and where two axes end with the period and one does not
    for box in (((3, 9), (4, 9), (2, 8)), ((5, 12), (6, 13), (7, 14))):
        mask = rng.random([stop - first for first, stop in box]) > 0.5
        region = region_of(mask, box)
        found = np.empty(region.count), np.empty(region.count)
        bands = dict(sub_bands(image, box))
        for first in "LH":
            for pair in sub_band_values(image, box, region.runs, first, found, Memory()):
                for name, values in zip(pair, found, strict=True):
                    assert np.array_equal(values, bands.pop(name)[mask].astype(np.float64))
        assert not bands
