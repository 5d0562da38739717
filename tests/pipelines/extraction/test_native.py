import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.extraction import native
from pipelines.extraction.memory import Memory

ROOT = Path(__file__).parents[3]
EXERCISE = """
import hashlib
import numpy as np
from pipelines.extraction import fast, fast_maps, native
from pipelines.extraction.memory import Memory
from pipelines.extraction.region import region_of, workspace_for
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS

digest = hashlib.sha256()
families = ("firstorder_Entropy", "glcm_Imc2", "glrlm_RunEntropy", "glszm_ZoneEntropy", "gldm_DependenceEntropy")
maps = [f"original_{name}" for name in families]
for number, (kind, build) in enumerate(KINDS.items()):
    drawn = build(np.random.default_rng([1, len(kind)]))
    for profile in ("recommended", "seed-a"):
        found = fast.extract(drawn.ct, drawn.lesion, load_profile(profile))
        digest.update(getattr(found, "values", np.zeros(0)).tobytes())
    settings = load_profile("recommended")
    found = fast_maps.voxel_values(drawn.ct, drawn.lesion, maps, settings, kernel_radius_voxels=1 + number % 3)
    for name in maps if isinstance(found, dict) else ():
        digest.update(found[name].tobytes())
for shape in ((1, 1, 1), (1, 1, 90), (1, 40, 2), (3, 4, 45), (25, 40, 37), (60, 61, 13)):
    for most in (1, 9, 150, 400):
        levels = np.random.default_rng([most, *shape]).integers(1, most + 1, shape)
        region = region_of(np.ones(shape, np.bool_), tuple((0, size) for size in shape))
        histogram = np.bincount(levels.ravel())
        frame = np.zeros((*region.rows[0].shape, region.stride), native.level_type(histogram.size - 1, max(shape)))
        frame[1:-1, 1:-1, 1 : shape[2] + 1] = levels
        room = workspace_for(region, Memory()).zones
        count, dependences = native.zones(frame, region.rows, histogram.size - 1, found=room)
        matrices = native.sweep(frame, region.blocks, max(shape), histogram)
        for part in (*matrices, dependences, room[0][:count], room[1][:count]):
            digest.update(part.tobytes())
print(native.kernels_path())
print(digest.hexdigest())
"""


def test_the_kernels_have_been_built() -> None:
    assert native.kernels_path() is not None


def test_kernels_of_another_version_are_told_apart_and_left_alone(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc")
    copy = tmp_path / "older"
    shutil.copytree(Path(native.__file__).parents[1], copy / "pipelines", ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / "nothing.c").write_text("int nothing;\n")
    target = copy / "pipelines" / "extraction" / "_kernels.so"
    subprocess.run([compiler, "-shared", "-o", str(target), str(tmp_path / "nothing.c")], check=True)
    asked = "from pipelines.extraction import native; print(native.unusable())"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONPATH": str(copy)},
        cwd=copy,
        capture_output=True,
        text=True,
        check=True,
    )
    assert native.unusable() is None
    assert done.stdout.strip() == "the kernels were built for another version and have to be built again"


def exercised(folder: Path, **environment: str) -> list[str]:
    """Where the kernels in `folder` lie, and a digest of all that they computed."""
    done = subprocess.run(
        [sys.executable, "-c", EXERCISE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_no_kernel_leaves_its_arrays_or_does_what_c_does_not_define(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc")
    copy = tmp_path / "sanitized"
    shutil.copytree(ROOT / "pipelines", copy / "pipelines", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (copy / "tests").mkdir()
    for name in ("__init__.py", "lesions.py"):
        shutil.copy(ROOT / "tests" / name, copy / "tests" / name)
    suffix = native.EXTENSION_SUFFIXES[0]
    folder = copy / "pipelines" / "extraction"
    options = ["-std=c11", "-g", "-O1", "-ffp-contract=off", "-DONE_TARGET", "-fno-sanitize-recover=all"]
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow"
    command = [
        compiler,
        *options,
        "-shared",
        "-fPIC",
        sanitizers,
        *sorted(folder.glob("*.c")),
        "-o",
        folder / f"_kernels{suffix}",
        "-lm",
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"gcc has no sanitizers: {built.stderr[-200:]}")
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    library, digest = exercised(
        copy,
        LD_PRELOAD=runtime,
        # Python itself keeps memory until it ends
        ASAN_OPTIONS="detect_leaks=0",
        # otherwise Python's own allocator hides overruns of small arrays
        PYTHONMALLOC="malloc",
    )
    assert Path(library).parent == folder
    # neither optimisation nor wider registers change a digit
    assert digest == exercised(ROOT)[1]


def test_arrays_of_another_type_or_order_are_refused() -> None:
    with pytest.raises(ctypes.ArgumentError, match="array of float64"):
        native.grey_levels(np.zeros(3, np.float32), np.array([0.0, 25.0]), 25.0, np.zeros(3, np.uint16))
    with pytest.raises(ctypes.ArgumentError, match="C-ordered"):
        native.widest(np.zeros((3, 4), np.int64).T, np.ones(3))


def test_arrays_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        native.grey_levels(np.zeros(3), np.array([0.0, 25.0]), 25.0, np.zeros(2, np.uint16))
    with pytest.raises(ValueError, match="four voxels"):
        native.smoothed(np.zeros((3, 8, 8), np.float32), np.zeros((3, 20)))
    with pytest.raises(ValueError, match="border"):
        native.cubes_of(np.ones((5, 5, 5), np.uint16), 1)


def test_a_summary_equals_numpy_to_the_last_bit() -> None:
    rng = np.random.default_rng(8)
    for count in (*range(1, 300), 511, 512, 513, 1023, 4099, 20001):
        values = rng.normal(0.0, 1.0, count) * 10.0 ** rng.integers(-5, 6, count)
        assert native.summary(values) == (values.min(), values.max(), values.sum())
    with pytest.raises(ValueError, match="extremes"):
        native.summary(np.empty(0))


def test_moments_are_sums_over_values_and_over_those_within_bounds() -> None:
    rng = np.random.default_rng(9)
    for count in (1, 2, 3, 4, 5, 511, 512, 513, 1023, 1024, 1025, 3001):
        values = rng.normal(10.0, 50.0, count)
        low, high = -20.0, float(values[0]) if values[0] > -20.0 else 60.0
        found = native.moments(values, 2.5, 1000.0, (low, high))
        d, inner = values - 2.5, values[(values >= low) & (values <= high)]
        terms = d**2, d**3, d**4, abs(d), (values + 1000.0) ** 2, inner, inner**0, np.abs(inner - inner.mean())
        assert found == pytest.approx([term.sum() for term in terms], rel=1e-11, abs=1e-6)
        assert found.inner_count == inner.size
    assert native.moments(values, 2.5, 1000.0, (1e6, 2e6))[-3:] == (0.0, 0.0, 0.0)


def at_ranks(values: np.ndarray, edges: np.ndarray, width: float, ranks: list[int]) -> list[float]:
    runs, spare = native.Runs.of(np.array([[0, 0, values.size]])), np.empty(values.size, np.uint16)
    return native.place_levels(values, edges, width, runs, np.zeros(values.size, np.uint16), ranks, spare)[1]


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e-310, 5e-324, 1e300])
def test_ranks_are_found_in_values_of_any_size(scale: float) -> None:
    values = np.random.default_rng(3).integers(-150, 150, 5000) * scale
    # one voxel far from all others leaves these in one bucket
    for outlier in (0.0, 1e4 * max(scale, 1e-9)):
        values[7] += outlier
        width = float(values.max() - values.min()) / 2
        edges = values.min() + width * np.arange(4)
        ranks = [0, 500, 501, 2499, 2500, 4500, 4999]
        assert at_ranks(values, edges, width, ranks) == np.sort(values)[ranks].tolist()


def test_ranks_are_found_whatever_the_levels() -> None:
    values = np.random.default_rng(4).normal(0.0, 1.0, 5000)
    values[:900] = 0.25
    ranks = [0, 500, 2500, 2800, 4999]
    wanted = np.sort(values)[ranks].tolist()
    for width in (0.01, 0.3, 25.0):
        edges = np.arange(values.min() - width / 3, values.max() + 2 * width, width)
        uneven = edges + np.random.default_rng(4).uniform(0.0, width / 9, edges.size)
        assert at_ranks(values, edges, width, ranks) == wanted
        assert at_ranks(values, np.append(edges[0], uneven[1:]), width, ranks) == wanted
    for count in (1, 2, 49, 1000):
        alike = np.full(count, -70.0)
        assert at_ranks(alike, np.array([-75.0, -50.0]), 25.0, [0, count - 1]) == [-70.0, -70.0]
    with pytest.raises(ValueError, match="rank"):
        at_ranks(values, edges, 25.0, [0, 5000])


def test_a_value_at_or_beside_an_edge_has_the_level_that_numpy_gives_it() -> None:
    # single-precision edges are not whole multiples of the width apart
    for edges in (np.arange(-1000.3, 1000.0, 25.0), np.arange(1e6 + 0.1, 1e6 + 900, 25.0).astype(np.float32)):
        edges = edges.astype(np.float64)
        inner = np.random.default_rng(5).uniform(edges[0], edges[-1], 3000)
        near = np.concatenate([edges[:-1], np.nextafter(edges[1:], -np.inf), np.nextafter(edges[:-1], np.inf), inner])
        for dtype in (np.uint8, np.uint16):
            frame = np.zeros(near.size, dtype)
            runs = native.Runs.of(np.array([[0, 0, near.size]]))
            counts, _ = native.place_levels(near, edges, 25.0, runs, frame, [], np.empty(near.size, np.uint16))
            assert frame.tolist() == np.digitize(near, edges).tolist()
            assert counts.tolist() == np.bincount(frame).tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32])
def test_quick_samples_of_a_part_of_a_volume_equal_the_others(dtype: type[np.integer]) -> None:
    whole = np.random.default_rng(6).integers(100, 900, (12, 40, 45)).astype(dtype)
    part = whole[1:, 2:-3, 4:]
    positions = np.arange(-0.9, 8.0, 0.77), np.arange(10.3, 20.0, 1.31), np.arange(8.2, 42.0, 0.61)
    inside = positions[0] >= -0.5, positions[1] < 19.0, np.ones(positions[2].size, dtype=np.bool_)
    quick = native.quick_spline_samples(part, positions, inside, reach=32, margin=1e-8, room=Memory())
    wanted, close = native.spline_samples(part, positions, inside, reach=32, margin=1e-8)
    assert close == 0
    assert quick is not None
    assert quick.dtype == dtype
    assert np.array_equal(quick, wanted)
    flat = np.full_like(part, 7)
    assert native.quick_spline_samples(flat, positions, inside, reach=32, margin=1e-8, room=Memory()) is None
