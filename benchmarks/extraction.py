"""Time and memory of the fast engine beside PyRadiomics, one after the other on one core, as a Markdown table.

    python -m benchmarks.extraction [--golden FOLDER] [--volumes 5 20 100 500] [--maps]

Every measurement runs in a process of its own, so that its peak of memory is its own; the two engines of a row run
right after each other, and the fast one again after that. Times are CPU seconds, the best of a few runs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread

from pipelines.domain.case import Case, Lesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.volume import CtVolume
from pipelines.extraction import fast, oracle
from pipelines.extraction.engine import feature_maps
from pipelines.extraction.names import features_of
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from tests.lesions import lesion_of, volume

_SHAPE: Final = (200, 512, 512)
_SPACING: Final = (0.75, 0.75, 1.25)
_SETTINGS: Final = load_profile("recommended")
_MAPS: Final = (
    *(f"original_glcm_{name}" for name in features_of("glcm")[:14]),
    *(f"original_firstorder_{name}" for name in ("Mean", "Entropy", "Variance", "Minimum", "Maximum", "Energy")),
)


def synthetic(volume_cm3: float, seed: int = 1) -> tuple[CtVolume, Lesion]:
    """A chest-like CT of 512 x 512 x 200 voxels with one textured, irregular tumour of `volume_cm3` in it."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-840.0, 25.0, _SHAPE).astype(np.float32)
    spacing = np.array(_SPACING[::-1])
    radius = (volume_cm3 * 1000 * 3 / 4 / np.pi) ** (1 / 3)
    centre = [size // 2 for size in _SHAPE]
    half = np.minimum(np.ceil((radius * 1.5 + 6) / spacing).astype(int), [size - 1 for size in centre])
    box = tuple(slice(c - h, c + h) for c, h in zip(centre, half, strict=True))
    shape = tuple(int(2 * h) for h in half)
    axes = np.meshgrid(*((np.arange(n) - n / 2) * step for n, step in zip(shape, spacing, strict=True)), indexing="ij")

    def field(sigma_mm: float) -> np.ndarray:
        noise = sitk.GetImageFromArray(rng.normal(size=shape).astype(np.float32))
        noise.SetSpacing(_SPACING)
        smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, sigma_mm))
        return np.asarray((smooth - smooth.mean()) / smooth.std())

    height = radius * (1 + 0.10 * field(radius / 4) + 0.04 * field(radius / 12)) - np.sqrt(sum(a**2 for a in axes))
    wanted = round(volume_cm3 * 1000 / float(np.prod(spacing)))
    threshold = np.partition(height.ravel(), -wanted)[-wanted]
    tumour = height >= threshold
    texture = 35 + 28 * field(4) + 18 * field(1.5) + 15 * field(0.7) - 35 * (field(radius / 3) > 1.2)
    share = 1 / (1 + np.exp(-np.clip((height - threshold) / 0.8, -50, 50)))
    hu[box] = hu[box] * (1 - share) + texture * share
    mask = np.zeros(_SHAPE, dtype=np.bool_)
    mask[box] = tumour
    ct = volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), _SPACING, origin_mm=(-190.0, -190.0, -120.0))
    return ct, lesion_of(mask)


def golden(folder: Path) -> tuple[CtVolume, Lesion]:
    """CT and first lesion of a real case."""
    case = read_case(
        [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))],
        dcmread(folder / "seg.dcm"),
        inputs_digest="benchmark",
    )
    assert isinstance(case, Case)
    return case.ct, case.lesions[0]


def _status_mb(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def _best(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _compare(ct: CtVolume, lesion: Lesion) -> dict[str, float]:
    """Both engines in this process: agreement and CPU seconds."""
    first = _best(lambda: fast.extract(ct, lesion, _SETTINGS), 3)
    start = time.process_time()
    wanted = oracle.extract(ct, lesion, _SETTINGS)
    reference = time.process_time() - start
    again = _best(lambda: fast.extract(ct, lesion, _SETTINGS), 3)
    found = fast.extract(ct, lesion, _SETTINGS)
    assert isinstance(found, FeatureVector)
    assert isinstance(wanted, FeatureVector)
    size = np.maximum(np.abs(found.values), np.abs(wanted.values))
    difference = np.abs(found.values - wanted.values)
    relative = np.divide(difference, size, out=np.zeros_like(size), where=difference > 0)
    return {
        "pyradiomics_s": reference,
        "fast_s": min(first, again),
        "equal": int((np.nan_to_num(relative) <= 1e-9).sum()),
        "worst": float(np.nanmax(relative)),
        "voxels": lesion.mask.count,
        "cm3": lesion.mask.volume_ml(ct.grid),
    }


def _maps(ct: CtVolume, lesion: Lesion) -> dict[str, float]:
    return {
        "maps_s": _best(lambda: feature_maps(ct, lesion, _MAPS, _SETTINGS), 3),
        "voxels": lesion.mask.count,
    }


def _memory(ct: CtVolume, lesion: Lesion, engine: str) -> dict[str, float]:
    """Peak of resident memory above what the process held when the CT had been loaded."""
    whole = np.zeros((12, 12, 12), dtype=np.bool_)
    whole[4:7, 4:7, 4:7] = True
    small = lesion_of(whole)
    extract = fast.extract if engine == "fast" else oracle.extract
    # load the libraries first
    extract(volume(np.zeros(whole.shape, np.int16), (1.0, 1.0, 1.0)), small, _SETTINGS)
    before = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    extract(ct, lesion, _SETTINGS)
    return {"mb": _status_mb("VmHWM") - before}


def _measured_apart(what: str, source: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.extraction", "--measure", what, source]
    threads = {"OPENBLAS_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(what: str, source: str) -> dict[str, float]:
    ct, lesion = golden(Path(source)) if Path(source).is_dir() else synthetic(float(source))
    if what == "compare":
        return _compare(ct, lesion)
    return _maps(ct, lesion) if what == "maps" else _memory(ct, lesion, what)


def main() -> int:
    """Print the table, or with --measure one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=float, nargs="*", default=[5, 20, 100, 500], help="cm3 of synthetic tumours")
    parser.add_argument("--golden", type=Path, help="folder of cases with ct/ and seg.dcm")
    parser.add_argument("--maps", action="store_true", help="feature maps as well")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "SOURCE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measure(*given.measure)))
        return 0
    sources = {f"{cm3:g} cm³ in 512 × 512 × 200": str(cm3) for cm3 in given.volumes}
    if given.golden:
        sources |= {path.name: str(path) for path in sorted(given.golden.iterdir()) if (path / "seg.dcm").exists()}
    print("| case | voxels | PyRadiomics | fast | ratio | equal to 1e-9 | worst | PyRadiomics | fast |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, source in sources.items():
        row = _measured_apart("compare", source)
        reference, own = _measured_apart("pyradiomics", source)["mb"], _measured_apart("fast", source)["mb"]
        print(
            f"| {name} | {row['voxels']:.0f} | {row['pyradiomics_s']:.2f} s | {row['fast_s']:.3f} s "
            f"| {row['pyradiomics_s'] / row['fast_s']:.0f} × | {row['equal']:.0f} | {row['worst']:.0e} "
            f"| +{reference:.0f} MB | +{own:.0f} MB |",
            flush=True,
        )
        if given.maps:
            made = _measured_apart("maps", source)
            print(f"| {name}: {len(_MAPS)} maps, r = 1 | {made['voxels']:.0f} | | {made['maps_s']:.3f} s | | | | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
