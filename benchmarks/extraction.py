"""Time and memory of the fast engine beside PyRadiomics, one after the other on one core.

    python -m benchmarks.extraction [--golden FOLDER] [--volumes 5 20 100 500] [--maps] [--write FOLDER]
                                    [--peer pictologics=PYTHON] [--peer flash-radiomics=PYTHON]

Every measurement runs in a process of its own, so that its peak of memory is its own; the engines of a row run in turns
in one process. Times are CPU seconds, the median of a few runs (PyRadiomics: of one for large lesions). --write keeps
the table as benchmarks.md (between its marks) and benchmarks.json. A peer is another program in a Python of its own:
see benchmarks/peer.py.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from radiomics.featureextractor import RadiomicsFeatureExtractor

from node.adapters.threads import mapper
from pipelines.domain.case import Case, Lesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.volume import CtVolume
from pipelines.extraction import fast, oracle
from pipelines.extraction.engine import feature_maps
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import FEATURE_CLASSES, features_of
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from tests.lesions import lesion_of, volume

_SHAPE: Final = (200, 512, 512)
_SPACING: Final = (0.75, 0.75, 1.25)
_SETTINGS: Final = load_profile("recommended")
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
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


def _median(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def _busiest(ct: CtVolume, lesion: Lesion, threads: int) -> float:
    """CPU seconds until the last of several threads is done: the time on the wall of cores that do nothing else."""
    spent: dict[int, float] = {}

    def timed(job: fast.Job) -> fast.Found | Unsupported:
        start = time.thread_time()
        found = job()
        spent[threading.get_ident()] = spent.get(threading.get_ident(), 0.0) + time.thread_time() - start
        return found

    pool = mapper(threads)
    start = time.thread_time()
    fast.extract(ct, lesion, _SETTINGS, mapper=lambda work, jobs: pool(timed, jobs))
    return time.thread_time() - start + max(spent.values())


def _compare(ct: CtVolume, lesion: Lesion) -> dict[str, float]:
    """Both engines in this process: agreement and CPU seconds."""
    small = lesion.mask.volume_ml(ct.grid) < 50
    own, reference, with_info = [], [], []
    for _ in range(3 if small else 1):
        own += [_median(lambda: fast.extract(ct, lesion, _SETTINGS), 1) for _ in range(5)]
        start = time.process_time()
        wanted = oracle.extract(ct, lesion, _SETTINGS)
        reference.append(time.process_time() - start)
        with_info.append(_median(lambda: _with_additional_info(ct, lesion), 1))
    found = fast.extract(ct, lesion, _SETTINGS)
    assert isinstance(found, FeatureVector)
    assert isinstance(wanted, FeatureVector)
    size = np.maximum(np.abs(found.values), np.abs(wanted.values))
    difference = np.abs(found.values - wanted.values)
    relative = np.divide(difference, size, out=np.zeros_like(size), where=difference > 0)
    return {
        "pyradiomics_s": statistics.median(reference),
        "pyradiomics_additional_info_s": statistics.median(with_info),
        "fast_s": statistics.median(own),
        "fast_two_threads_s": statistics.median(_busiest(ct, lesion, 2) for _ in range(5)),
        "equal": int((np.nan_to_num(relative) <= 1e-9).sum()),
        "worst": float(np.nanmax(relative)),
        "voxels": lesion.mask.count,
        "cm3": lesion.mask.volume_ml(ct.grid),
    }


def _with_additional_info(ct: CtVolume, lesion: Lesion) -> None:
    """PyRadiomics as it comes: with the hashes and statistics of the whole volume that it adds to its answer."""
    image, mask = (sitk.GetImageFromArray(voxels) for voxels in (ct.hu[:], lesion.mask.on(ct.grid).astype(np.uint8)))
    for volume_ in (image, mask):
        volume_.SetSpacing(ct.grid.spacing_mm)
        volume_.SetOrigin(ct.grid.origin_mm)
        volume_.SetDirection(ct.grid.direction)
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    extractor = RadiomicsFeatureExtractor(
        interpolator=_SETTINGS.interpolator,
        resampledPixelSpacing=[_SETTINGS.resampled_spacing_mm] * 3,
        padDistance=_SETTINGS.pad_distance_mm,
        binWidth=_SETTINGS.bin_width_hu,
        voxelArrayShift=_SETTINGS.voxel_array_shift_hu,
    )
    extractor.disableAllImageTypes()
    extractor.enableImageTypeByName("Original")
    extractor.enableImageTypeByName("LoG", customArgs={"sigma": list(_SETTINGS.log_sigmas_mm)})
    extractor.enableImageTypeByName("Wavelet")
    extractor.disableAllFeatures()
    for family in ("shape", *FEATURE_CLASSES):
        extractor.enableFeaturesByName(**{family: list(features_of(family))})
    extractor.execute(image, mask)


def _maps(ct: CtVolume, lesion: Lesion) -> dict[str, float]:
    return {
        "maps_s": _median(lambda: feature_maps(ct, lesion, _MAPS, _SETTINGS), 3),
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
    done = subprocess.run(command, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(what: str, source: str) -> dict[str, float]:
    ct, lesion = golden(Path(source)) if Path(source).is_dir() else synthetic(float(source))
    if what == "compare":
        return _compare(ct, lesion)
    return _maps(ct, lesion) if what == "maps" else _memory(ct, lesion, what)


def _peer(name: str, python: str, source: str) -> dict[str, float]:
    """Another program on the same lesion, in its own Python."""
    ct, lesion = golden(Path(source)) if Path(source).is_dir() else synthetic(float(source))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        mask = lesion.mask.on(ct.grid).astype(np.uint8)
        np.savez(path, hu=ct.hu[:], mask=mask, spacing=np.array(ct.grid.spacing_mm))
        command = [python, str(Path(__file__).with_name("peer.py")), name, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **_ONE_THREAD})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _row(name: str, row: dict[str, float]) -> str:
    return (
        f"| {name} | {row['voxels']:.0f} | {row['pyradiomics_s']:.2f} s | {row['pyradiomics_additional_info_s']:.2f} s "
        f"| {row['fast_s']:.3f} s | {row['pyradiomics_s'] / row['fast_s']:.0f} × "
        f"| {row['pyradiomics_additional_info_s'] / row['fast_s']:.0f} × "
        f"| {row['fast_s'] / row['fast_two_threads_s']:.2f} × "
        f"| {row['equal']:.0f} | {row['worst']:.0e} | +{row['pyradiomics_mb']:.0f} MB | +{row['fast_mb']:.0f} MB |"
    )


_HEAD: Final = (
    "| case | voxels | PyRadiomics | with additionalInfo | fast | ratio | with additionalInfo | two threads "
    "| equal to 1e-9 | worst | PyRadiomics | fast |\n|" + "---|" * 12
)


def main() -> int:
    """Print the table, or with --measure one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=float, nargs="*", default=[5, 20, 100, 500], help="cm3 of synthetic tumours")
    parser.add_argument("--golden", type=Path, help="folder of cases with ct/ and seg.dcm")
    parser.add_argument("--maps", action="store_true", help="feature maps as well")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another program")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="keep table and numbers there")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "SOURCE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measure(*given.measure)))
        return 0
    sources = {f"{cm3:g} cm³ in 512 × 512 × 200": str(cm3) for cm3 in given.volumes}
    if given.golden:
        sources |= {path.name: str(path) for path in sorted(given.golden.iterdir()) if (path / "seg.dcm").exists()}
    rows: dict[str, dict[str, float]] = {}
    lines = [_HEAD]
    print(_HEAD)
    for name, source in sources.items():
        row = rows[name] = _measured_apart("compare", source)
        row["pyradiomics_mb"] = _measured_apart("pyradiomics", source)["mb"]
        row["fast_mb"] = _measured_apart("fast", source)["mb"]
        lines.append(_row(name, row))
        print(lines[-1], flush=True)
        notes = []
        if given.maps:
            row["maps_s"] = _measured_apart("maps", source)["maps_s"]
            notes.append(f"{name}: {len(_MAPS)} maps, r = 1: {row['maps_s']:.3f} s")
        for peer, _, python in (text.partition("=") for text in given.peer):
            row[f"{peer}_s"] = _peer(peer, python, source)["cpu_s"]
            notes.append(f"{name}: {peer} {row[f'{peer}_s']:.2f} s, {row[f'{peer}_s'] / row['fast_s']:.0f} × of fast")
        for note in notes:
            print(note, flush=True)
    if given.write:
        (given.write / "benchmarks.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        page = given.write / "benchmarks.md"
        before, _, rest = page.read_text().partition(_BEGIN)
        page.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}{rest.partition(_END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
