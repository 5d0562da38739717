"""Stored values and HU of single frames: odd bits, signs, padding."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from pipelines.imaging.frames import UnusableImage, ct_frames
from pipelines.imaging.pixels import stored_frame
from tests.ct_variants import small_series, stored_unsigned
from tests.dicom import ct_series
from tests.encodings import LOSSLESS


def hu_of(instance: Dataset) -> np.ndarray:
    return next(ct_frames(instance)).hounsfield()


def one() -> Dataset:
    [instance] = small_series(slices=1)
    return instance


def test_overlay_bits_above_the_pixel_do_not_enter_its_value() -> None:
    instance = stored_unsigned(one())
    plain = hu_of(instance)
    cells = np.frombuffer(instance.PixelData, "<u2")
    instance.PixelData = (cells | np.where(np.arange(cells.size) % 3 == 0, 0x9000, 0)).astype("<u2").tobytes()
    assert np.array_equal(hu_of(instance), plain)


@pytest.mark.parametrize("encoding", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"])
def test_overlay_bits_are_dropped_in_other_encodings_too(tmp_path: Path, encoding: str) -> None:
    instance = stored_unsigned(one())
    plain = hu_of(instance)
    cells = np.frombuffer(instance.PixelData, "<u2") | 0x8000
    instance.PixelData = cells.astype("<u2").tobytes()
    assert np.array_equal(hu_of(LOSSLESS[encoding](instance, tmp_path)), plain)


@given(
    stored=st.integers(2, 16),
    spare=st.integers(0, 14),
    signed=st.booleans(),
    junk=st.integers(0, 0xFFFF),
    data=st.data(),
)
def test_any_number_of_bits_at_any_place_with_any_sign_is_read(
    stored: int, spare: int, signed: bool, junk: int, data: st.DataObject
) -> None:
    high = min(15, stored - 1 + spare)
    low = -(1 << (stored - 1)) if signed else 0
    values = data.draw(st.lists(st.integers(low, low + (1 << stored) - 1), min_size=4, max_size=4))
    mask = ((1 << stored) - 1) << (high + 1 - stored)
    instance = Dataset()
    instance.file_meta = one_meta()
    instance.Rows = instance.Columns = 2
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated, instance.BitsStored, instance.HighBit = 16, stored, high
    instance.PixelRepresentation = int(signed)
    cells = [((value << (high + 1 - stored)) & mask) | (junk & ~mask) for value in values]
    instance.PixelData = np.array(cells, dtype="<u2").tobytes()
    assert stored_frame(instance, 0).values.ravel().tolist() == values


def one_meta() -> Dataset:
    meta = Dataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return meta


def test_monochrome1_turns_the_display_around_and_not_the_values() -> None:
    instance = one()
    plain = hu_of(instance)
    instance.PhotometricInterpretation = "MONOCHROME1"
    assert np.array_equal(hu_of(instance), plain)


def with_padding(value: int, *, limit: int | None = None) -> tuple[Dataset, np.ndarray]:
    """Stored values -2000, -1990 and -1980 in the first row; the HU without them."""
    instance = one()
    plain = hu_of(instance)
    cells = np.frombuffer(instance.PixelData, "<i2").reshape(16, 20).copy()
    cells[0, :3] = (-2000, -1990, -1980)
    instance.PixelData = cells.tobytes()
    instance.add_new("PixelPaddingValue", "SS", value)
    if limit is not None:
        instance.add_new("PixelPaddingRangeLimit", "SS", limit)
    return instance, plain


def test_declared_padding_is_air_and_nothing_else_changes() -> None:
    instance, plain = with_padding(-2000)
    hu = hu_of(instance)
    assert hu[0, :3].tolist() == [-1024, -3014, -3004]
    assert np.array_equal(hu[1:], plain[1:])
    assert np.array_equal(hu[0, 3:], plain[0, 3:])


@pytest.mark.parametrize(("value", "limit"), [(-2000, -1990), (-1990, -2000)])
def test_padding_may_be_a_range_in_either_direction(value: int, limit: int) -> None:
    assert hu_of(with_padding(value, limit=limit)[0])[0, :3].tolist() == [-1024, -1024, -3004]


def test_a_padding_value_written_without_its_sign_means_the_same_bits() -> None:
    instance, _ = with_padding(-2000)
    del instance.PixelPaddingValue
    instance.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert hu_of(instance)[0, 0] == -1024


def test_padding_within_the_ct_scale_is_kept_for_it_may_be_tissue() -> None:
    # some writers declare 0 where 0 is water
    instance = one()
    instance.RescaleIntercept = 0
    plain = hu_of(instance)
    instance.add_new("PixelPaddingValue", "SS", int(plain[5, 5]))
    assert np.array_equal(hu_of(instance), plain)


def test_what_was_not_measured_is_known() -> None:
    instance, _ = with_padding(-2000)
    unmeasured = next(ct_frames(instance)).unmeasured()
    assert np.argwhere(unmeasured).tolist() == [[0, 0], [0, 1], [0, 2]]


@pytest.mark.parametrize(
    ("slope", "intercept", "kind"), [(1, -1024, np.int16), (10, -10240, np.int32), (0.5, 0, np.float64)]
)
def test_hu_take_the_smallest_type_that_holds_them(slope: float, intercept: float, kind: type) -> None:
    instance = one()
    instance.RescaleSlope, instance.RescaleIntercept = slope, intercept
    instance.PixelData = np.full((16, 20), 6000, "<i2").tobytes()
    hu = hu_of(instance)
    assert hu.dtype == kind
    assert (hu == 6000 * slope + intercept).all()


def test_damaged_pixel_data_is_named_whatever_the_decoder_raises(tmp_path: Path) -> None:
    for syntax, encode in LOSSLESS.items():
        instance = encode(stored_unsigned(ct_series(slices=1, rows=64, columns=64)[0]), tmp_path)
        instance.PixelData = instance.PixelData[: len(instance.PixelData) // 3]
        with pytest.raises(UnusableImage, match=f"CT-004 CT instance {instance.SOPInstanceUID}") as refused:
            hu_of(instance)
        assert refused.value.reason.code == "CT-004", syntax
