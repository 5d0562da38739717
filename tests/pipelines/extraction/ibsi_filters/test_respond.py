import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pywt

from benchmarks.ibsi import PAGE, written
from benchmarks.ibsi2 import REFERENCES, RESPONSE_MAPS, main, map_file, map_row, read_references, rows
from benchmarks.ibsi2_phantoms import (
    FILTERS,
    MAPS,
    SPACING_MM,
    Prepared,
    digital_phantom,
    measured,
    prepared,
    response_map,
)
from benchmarks.ibsi2_tables import CSV, MAPS_CSV, MapRow, counts, map_counts, published, published_maps
from benchmarks.ibsi_phantoms import PHANTOM, ct_phantom
from pipelines.extraction.ibsi_filters.gabor import gabor_kernel
from pipelines.extraction.ibsi_filters.kernels import LAWS, laws_taps
from pipelines.extraction.ibsi_filters.respond import reach, response
from pipelines.extraction.ibsi_filters.settings import (
    Boundary,
    Filter,
    Gabor,
    LaplacianOfGaussian,
    Laws,
    Mean,
    NonseparableWavelet,
    SeparableWavelet,
)
from pipelines.extraction.ibsi_filters.spectral import band, riesz

PUBLISHED = published(CSV.read_text("utf-8"))
PUBLISHED_MAPS = published_maps(MAPS_CSV.read_text("utf-8"))
SAME = 1e-9
"""Relative difference of a value from the published one, which is the one that was compared with IBSI's."""
FROM_IBSI = "needs files of IBSI's that lie outside the project"


@pytest.fixture(scope="module")
def by_slice(shared_data: Path) -> Prepared:
    return prepared(*ct_phantom(shared_data / PHANTOM), by_slice=True)


@pytest.fixture(scope="module")
def in_the_volume(shared_data: Path) -> Prepared:
    return prepared(*ct_phantom(shared_data / PHANTOM), by_slice=False)


def assert_published(configuration: str, phantom: Prepared) -> None:
    """What is measured anew is what the published table has, feature by feature."""
    found = measured(phantom, FILTERS[configuration])
    of = PUBLISHED[configuration]
    # for this one of the 324 there is no consensus to compare with
    assert found.keys() - {row.tag for row in of} == ({"stat_qcod"} if configuration == "8.B" else set())
    for row in of:
        assert found[row.tag] == pytest.approx(row.value, rel=SAME, abs=0.0), row.tag


@pytest.mark.parametrize("configuration", [name for name in FILTERS if name.endswith("A")])
def test_the_ct_phantom_gives_the_published_values_by_slice(configuration: str, by_slice: Prepared) -> None:
    assert_published(configuration, by_slice)


@pytest.mark.slow(reason="the report of the profile `ibsi` is tested with all filters that it may have")
@pytest.mark.parametrize("configuration", [name for name in FILTERS if name.endswith("B")])
def test_the_ct_phantom_gives_the_published_values_in_the_volume(configuration: str, in_the_volume: Prepared) -> None:
    assert_published(configuration, in_the_volume)


@pytest.mark.slow(reason=FROM_IBSI)
def test_the_published_values_are_as_far_from_those_of_ibsi_as_the_table_says(shared_data: Path) -> None:
    if not (shared_data / REFERENCES).is_file():
        pytest.skip("IBSI's table of the reference values of IBSI-2 is not on this machine")
    table = rows(shared_data / PHANTOM, read_references(shared_data / REFERENCES))
    assert all(row.passed for row in table)
    told = [row for of in PUBLISHED.values() for row in of]
    assert [(row.configuration, row.tag) for row in table] == [(row.configuration, row.tag) for row in told]
    assert [float(row.share) for row in table] == pytest.approx([float(row.share) for row in told], rel=0.01, abs=1e-6)


# one map of each kind of filter; the others are slow only together
QUICK_MAPS = ("1.a.4", "2.c", "3.a.2", "4.a.1", "5.a.1", "6.a.2", "7.a.2", "8.a.1", "9.a", "10.b.1")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.configuration, marks=[pytest.mark.slow] if row.configuration not in QUICK_MAPS else [])
        for row in PUBLISHED_MAPS
    ],
)
def test_the_response_map_has_the_published_range(row: MapRow) -> None:
    ours = response_map(row.configuration)
    noise = SAME * (row.highest - row.lowest)
    assert ours.min() == pytest.approx(row.lowest, rel=SAME, abs=noise)
    assert ours.max() == pytest.approx(row.highest, rel=SAME, abs=noise)


@pytest.mark.slow(reason=FROM_IBSI)
@pytest.mark.parametrize("told", PUBLISHED_MAPS, ids=lambda row: row.configuration)
def test_no_voxel_of_the_response_map_is_farther_from_ibsis_than_the_table_says(
    told: MapRow, shared_data: Path
) -> None:
    if not map_file(told.configuration, shared_data / RESPONSE_MAPS).is_file():
        pytest.skip("IBSI's reference response maps are not on this machine")
    row = map_row(told.configuration, shared_data / RESPONSE_MAPS)
    assert row.passed
    assert row.share == pytest.approx(told.share, rel=0.01, abs=1e-9)


def test_all_that_ibsi_has_published_passes_and_the_manual_counts_it() -> None:
    values = [row for of in PUBLISHED.values() for row in of]
    assert (len(values), len(PUBLISHED_MAPS)) == (323, 33)
    assert tuple(PUBLISHED) == tuple(FILTERS)
    assert [row.configuration for row in PUBLISHED_MAPS] == list(MAPS)
    assert all(row.passed for row in (*values, *PUBLISHED_MAPS))
    # none passes by rounding alone
    assert max(float(row.share) for row in values) <= 1.0
    page = PAGE.read_text("utf-8")
    assert written(written(page, "filters", counts(values)), "response maps", map_counts(PUBLISHED_MAPS)) == page


def test_without_the_files_of_ibsi_the_comparison_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PHANTOM).mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["ibsi2", "--data", str(tmp_path), "--write"])
    before = (CSV.read_bytes(), MAPS_CSV.read_bytes(), PAGE.read_bytes())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path / REFERENCES} and 33 other files are not there")
    assert "theibsi/ibsi_2_reference_data" in line
    assert (CSV.read_bytes(), MAPS_CSV.read_bytes(), PAGE.read_bytes()) == before


IMAGE = np.random.default_rng(2).normal(40.0, 100.0, (21, 24, 22))
SAMPLES = {
    "mean": Filter(Mean(5)),
    "laplacian": Filter(LaplacianOfGaussian(1.2)),
    "laws": Filter(Laws(("L5", "E5", "R5"), "max", 2)),
    "laws averaged": Filter(Laws(("E3", "L5", "S3"), "average")),
    "gabor": Filter(Gabor(1.0, 2.5, 1.5, step_deg=45.0, orthogonal=True)),
    "wavelet": Filter(SeparableWavelet("db2", "LLH", pooling="average")),
    "wavelet of level 2": Filter(SeparableWavelet("haar", "HLH", level=2, pooling="max")),
    "mean by slice": Filter(Mean(3), by_slice=True),
    "laplacian by slice": Filter(LaplacianOfGaussian(1.2), by_slice=True),
    "laws by slice": Filter(Laws(("S5", "W5"), "max"), by_slice=True),
    "gabor by slice": Filter(Gabor(1.0, 2.5, 0.8, step_deg=30.0), by_slice=True),
    "wavelet by slice": Filter(SeparableWavelet("coif1", "LH", level=2, pooling="average"), by_slice=True),
}
BOUNDARIES: tuple[Boundary, ...] = ("zero", "nearest", "periodic", "mirror")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_part_of_the_response_is_that_part_of_the_whole(name: str, boundary: Boundary) -> None:
    wanted = replace(SAMPLES[name], boundary=boundary)
    whole = response(IMAGE, 1.0, wanted)
    assert whole.shape == IMAGE.shape
    for box in (np.s_[0:4, 3:20, 9:12], np.s_[8:13, 9:14, 10:12], np.s_[17:21, 20:24, 0:3]):
        np.testing.assert_allclose(response(IMAGE, 1.0, wanted, box), whole[box], atol=1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_beyond_the_reach_of_a_filter_matters(name: str) -> None:
    wanted = SAMPLES[name]
    extent = reach(wanted, 1.0)
    assert extent is not None
    image = np.random.default_rng(4).normal(size=(1 if wanted.by_slice else 2 * extent + 3, 41, 43))
    middle = tuple(size // 2 for size in image.shape)
    changed = image.copy()
    distances = np.max([abs(line - at) for line, at in zip(np.indices(image.shape), middle, strict=True)], axis=0)
    changed[distances > extent] += 50.0
    assert response(changed, 1.0, wanted)[middle] == pytest.approx(response(image, 1.0, wanted)[middle], abs=1e-6)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_pooled_filter_sees_a_turned_image_as_the_image(name: str) -> None:
    wanted = SAMPLES[name]
    for axes in ((1, 2),) if wanted.by_slice else ((1, 2), (0, 1), (0, 2)):
        turned = response(np.rot90(IMAGE, axes=axes), 1.0, wanted)
        np.testing.assert_allclose(turned, np.rot90(response(IMAGE, 1.0, wanted), axes=axes), atol=1e-9)


def middle_of(image: np.ndarray, width: int) -> np.ndarray:
    """The cube of `width` voxels around the impulse of the digital phantom."""
    part = slice(31 - width // 2, 32 + width // 2)
    return image[part, part, part]


def test_the_laplacian_answers_an_impulse_with_its_kernel() -> None:
    made = response(digital_phantom("impulse"), SPACING_MM, Filter(LaplacianOfGaussian(3.0), boundary="zero")) / 255.0
    z, y, x = np.indices((13, 13, 13)) - 6.0
    square = x**2 + y**2 + z**2
    expected = -((2 * math.pi) ** -1.5) / 1.5**3 * (3 / 1.5**2 - square / 1.5**4) * np.exp(-square / (2 * 1.5**2))
    np.testing.assert_allclose(middle_of(made, 13), expected, atol=1e-14)
    assert np.count_nonzero(made) == np.count_nonzero(expected)


def test_laws_kernels_lie_along_columns_rows_slices() -> None:
    made = response(digital_phantom("impulse"), SPACING_MM, Filter(Laws(("E5", "L3", "S5")), boundary="zero"))
    e5, l3, s5 = (np.array(LAWS[name]) / math.sqrt(length) for name, length in (("E5", 10), ("L3", 6), ("S5", 6)))
    expected = 255.0 * s5[:, None, None] * np.pad(l3, 1)[None, :, None] * e5[None, None, :]
    np.testing.assert_allclose(middle_of(made, 5), expected, atol=1e-12)


def test_laws_energy_is_the_mean_of_the_absolute_response() -> None:
    plain = np.abs(response(IMAGE, 1.0, Filter(Laws(("L5", "E5", "S5")))))
    energy = response(IMAGE, 1.0, Filter(Laws(("L5", "E5", "S5"), energy_distance=2)))
    assert energy[10, 10, 10] == pytest.approx(plain[8:13, 8:13, 8:13].mean())


@pytest.mark.parametrize("name", LAWS)
def test_every_kernel_of_laws_has_a_length_of_one(name: str) -> None:
    assert np.linalg.norm(laws_taps(name).values) == pytest.approx(1.0)


def test_a_wave_is_answered_most_by_the_gabor_filter_of_its_length_and_direction() -> None:
    y, x = np.indices((64, 64)).astype(np.float64)
    angle = math.radians(30.0)
    wave = np.cos(2 * math.pi * (math.cos(angle) * x + math.sin(angle) * y) / 6.0)[None]

    def answer(angle_deg: float, wavelength_mm: float) -> float:
        gabor = Gabor(4.0, wavelength_mm, 1.0, angle_deg=angle_deg)
        return float(response(wave, 1.0, Filter(gabor, by_slice=True))[0, 32, 32])

    # half of the wave's energy turns with the kernel: half the weight of a Gaussian of 4 pixels
    assert answer(30.0, 6.0) == pytest.approx(math.pi * 4.0**2, rel=1e-3)
    assert answer(30.0, 6.0) == pytest.approx(answer(210.0, 6.0), rel=1e-9)
    assert max(answer(120.0, 6.0), answer(-30.0, 6.0), answer(30.0, 3.0)) < 1.0


def test_the_gabor_response_is_the_sum_of_the_definition() -> None:
    gabor = Gabor(2.0, 3.0, 1.3, angle_deg=40.0)
    made = response(IMAGE[:1], 1.0, Filter(gabor, by_slice=True))
    kernel = gabor_kernel(gabor, 40.0, 1.0)
    radius = kernel.shape[0] // 2
    padded = np.pad(IMAGE[0], radius, mode="symmetric")
    around = padded[5 : 5 + kernel.shape[0], 7 : 7 + kernel.shape[0]]
    assert made[0, 5, 7] == pytest.approx(abs((around * kernel[::-1, ::-1]).sum()), rel=1e-9)


@pytest.mark.parametrize("family", ["haar", "db2", "db3", "coif1"])
@pytest.mark.parametrize("level", [1, 2])
def test_separable_wavelets_are_those_of_pywavelets(family: str, level: int) -> None:
    image = np.random.default_rng(6).normal(size=(8, 16, 24))
    stationary = pywt.swtn(image, family, level)[0]
    for subband in ("LLH", "LHL", "HLL", "HHL", "HHH"):
        made = response(image, 1.0, Filter(SeparableWavelet(family, subband, level), boundary="periodic"))
        # PyWavelets names the axes backwards, and its stationary transform begins elsewhere
        expected = stationary[subband[::-1].replace("L", "a").replace("H", "d")]
        np.testing.assert_allclose(np.abs(np.fft.fftn(made)), np.abs(np.fft.fftn(expected)), atol=1e-9)


@pytest.mark.parametrize("shape", [(32, 32), (21, 24, 22)])
def test_two_levels_of_simoncelli_share_every_frequency_between_them(shape: tuple[int, ...]) -> None:
    first, second, third = (band(NonseparableWavelet("simoncelli", level), shape) for level in (1, 2, 3))
    between = (first > 0) & (second > 0)
    assert between.any()
    np.testing.assert_allclose((first**2 + second**2)[between], 1.0)
    assert not (first * third).any()


def test_two_levels_of_shannon_share_no_frequency() -> None:
    first, second = (band(NonseparableWavelet("shannon", level), (32, 32, 32)) for level in (1, 2))
    assert set(np.unique(first)) == set(np.unique(second)) == {0.0, 1.0}
    assert not (first * second).any()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_riesz_transforms_of_an_order_keep_the_energy(order: int) -> None:
    all_orders = [(i, j, order - i - j) for i in range(order + 1) for j in range(order + 1 - i)]
    total = sum(np.abs(riesz(orders, (9, 11, 13))) ** 2 for orders in all_orders)
    total[np.abs(total) < 1e-12] = 1.0
    np.testing.assert_allclose(total, 1.0)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(Laws(("L5", "E5"))),
        Filter(SeparableWavelet("db3", "LLH"), by_slice=True),
        Filter(NonseparableWavelet("simoncelli")),
        Filter(Gabor(5.0, 2.0, 1.5, orthogonal=True), by_slice=True),
        Filter(LaplacianOfGaussian(1.5, riesz=(0, 0, 1)), by_slice=True),
        Filter(Mean(4)),
    ],
)
def test_a_filter_that_does_not_fit_is_refused(wanted: Filter) -> None:
    with pytest.raises(ValueError, match=r"dimensions|periodic|slice|odd"):
        response(IMAGE, 1.0, wanted)
