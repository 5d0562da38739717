"""Time and memory of the fast engine beside PyRadiomics, one after the other on one core.

    python -m benchmarks.extraction [--golden FOLDER] [--volumes 5 20 100 500] [--maps] [--write FOLDER]
                                    [--peer pictologics=PYTHON] [--peer flash-radiomics=PYTHON] [--peer-minutes 10]

Every measurement runs in a process of its own, so that its peak of memory is its own; the engines of a row run in turns
in one process, and the fast one keeps its memory from run to run, as for the lesions of a case. Times are CPU seconds,
the median of a few runs (PyRadiomics: of one for large lesions). --write keeps the tables as benchmarks.md (between its
marks) and benchmarks.json. A peer is another program in a Python of its own: see benchmarks/peer.py. PyRadiomics maps
the middle of a large lesion only, because it would take hours for all of it.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor

from benchmarks import lesions
from benchmarks.peers import PEERS_HEAD, Peer, measure_peer, peer_row
from node.adapters.threads import mapper
from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.volume import CtVolume
from pipelines.extraction import fast, fast_maps, oracle
from pipelines.extraction.engine import feature_maps
from pipelines.extraction.jobs import FoundT, JobT, Mapper
from pipelines.extraction.memory import Memory
from pipelines.extraction.names import FEATURE_CLASSES, features_of
from pipelines.extraction.settings import load_profile
from tests.lesions import lesion_of, volume

_SETTINGS: Final = load_profile("recommended")
# lesions up to this size are mapped by PyRadiomics as they are, of larger ones a cube of so many voxels a side
_FEW_VOXELS: Final = 30_000
_PART_SIDE: Final = 16
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_MAPS: Final = (
    *(f"original_glcm_{name}" for name in features_of("glcm")[:14]),
    *(f"original_firstorder_{name}" for name in ("Mean", "Entropy", "Variance", "Minimum", "Maximum", "Energy")),
)


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


def _busiest(work: Callable[[Mapper], object], threads: int) -> float:
    """CPU seconds until the last of several threads is done: the time on the wall of cores that do nothing else."""
    spent: dict[int, float] = {}
    pool = mapper(threads)

    def timed(run: Callable[[JobT], FoundT], jobs: Iterable[JobT], /) -> Iterable[FoundT]:
        def one(job: JobT) -> FoundT:
            start = time.thread_time()
            found = run(job)
            spent[threading.get_ident()] = spent.get(threading.get_ident(), 0.0) + time.thread_time() - start
            return found

        return pool(one, jobs)

    start = time.thread_time()
    work(timed)
    return time.thread_time() - start + max(spent.values())


def _compare(ct: CtVolume, lesion: Lesion) -> dict[str, float]:
    """Both engines in this process: agreement and CPU seconds."""
    small = lesion.mask.volume_ml(ct.grid) < 50
    room = Memory()

    def measure(mapper_: Mapper = map) -> object:
        return fast.extract(ct, lesion, _SETTINGS, mapper=mapper_, room=room)

    own, reference, with_info = [], [], []
    for _ in range(3 if small else 1):
        own += [_median(measure, 1) for _ in range(5)]
        start = time.process_time()
        wanted = oracle.extract(ct, lesion, _SETTINGS)
        reference.append(time.process_time() - start)
        with_info.append(_median(lambda: _with_additional_info(ct, lesion), 1))
    found = measure()
    assert isinstance(found, FeatureVector)
    assert isinstance(wanted, FeatureVector)
    size = np.maximum(np.abs(found.values), np.abs(wanted.values))
    difference = np.abs(found.values - wanted.values)
    relative = np.divide(difference, size, out=np.zeros_like(size), where=difference > 0)
    return {
        "pyradiomics_s": statistics.median(reference),
        "pyradiomics_additional_info_s": statistics.median(with_info),
        "fast_s": statistics.median(own),
        "fast_two_threads_s": statistics.median(_busiest(measure, 2) for _ in range(5)),
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
    """The same maps by both engines in this process: CPU seconds, and how far they differ.

    The difference of a map is that of its worst voxel, in shares of the greatest value of the map, both in double
    precision: in a report a map is in single precision, where one more bit would hide what there is.
    """
    whole = _median(lambda: feature_maps(ct, lesion, _MAPS, _SETTINGS), 5)
    part = lesion if lesion.mask.count <= _FEW_VOXELS else _middle_of(ct, lesion)
    own = [_median(lambda: feature_maps(ct, part, _MAPS, _SETTINGS), 1) for _ in range(5)]
    start = time.process_time()
    wanted = oracle.voxel_values(ct, part, _MAPS, _SETTINGS)
    reference = time.process_time() - start
    own += [_median(lambda: feature_maps(ct, part, _MAPS, _SETTINGS), 1) for _ in range(5)]
    two = [_busiest(lambda mapper_: feature_maps(ct, part, _MAPS, _SETTINGS, mapper=mapper_), 2) for _ in range(5)]
    found = fast_maps.voxel_values(ct, part, _MAPS, _SETTINGS)
    assert isinstance(found, dict)
    assert isinstance(wanted, dict)
    worst = [np.nanmax(np.abs(found[name] - wanted[name])) / np.nanmax(np.abs(wanted[name])) for name in _MAPS]
    return {
        "voxels": lesion.mask.count,
        "maps_s": whole,
        "mapped_voxels": part.mask.count,
        "mapped_s": statistics.median(own),
        "mapped_two_threads_s": statistics.median(two),
        "pyradiomics_maps_s": reference,
        "maps_worst": float(max(worst)),
    }


def _middle_of(ct: CtVolume, lesion: Lesion) -> Lesion:
    """What lies of a lesion in a cube around the middle of its box."""
    whole = lesion.mask.on(ct.grid)
    cube = tuple(
        slice((part.start + part.stop - _PART_SIDE) // 2, (part.start + part.stop + _PART_SIDE) // 2)
        for part in lesion.mask.box
    )
    part = np.zeros_like(whole)
    part[cube] = whole[cube]
    return lesion_of(part)


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
    ct, lesion = lesions.source(source)
    if what == "compare":
        return _compare(ct, lesion)
    return _maps(ct, lesion) if what == "maps" else _memory(ct, lesion, what)


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


_MAPS_HEAD: Final = (
    """\
Maps: 14 GLCM and 6 first-order features of the original image, radius 1, on the grid of the CT; both engines in one
process, the same voxels and the same maps, PyRadiomics in its voxel mode once. For a lesion of more than 30,000
voxels PyRadiomics would take hours: there both engines map what lies of it in a cube of 16 voxels a side around its
middle, and the ratio is that of this part. "Fast" is the time for the whole lesion. "Two threads" is what the busier
of two threads takes for the same voxels. "Worst voxel" is the greatest difference between the engines in double
precision, in shares of the greatest value of the map.

"""
    "| case | voxels | maps | fast | voxels for PyRadiomics | PyRadiomics, voxel mode | fast, the same voxels | ratio "
    "| two threads | ratio | worst voxel |\n|" + "---|" * 11
)


def _maps_row(name: str, row: dict[str, float]) -> str:
    ratio, of_two = (row["pyradiomics_maps_s"] / row[key] for key in ("mapped_s", "mapped_two_threads_s"))
    return (
        f"| {name} | {row['voxels']:.0f} | {len(_MAPS)} | {row['maps_s']:.3f} s | {row['mapped_voxels']:.0f} "
        f"| {row['pyradiomics_maps_s']:.1f} s | {row['mapped_s']:.4f} s | {ratio:.0f} × "
        f"| {row['mapped_two_threads_s']:.4f} s | {of_two:.0f} × | {row['maps_worst']:.0e} |"
    )


def main() -> int:
    """Print the tables, or with --measure one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=float, nargs="*", default=[5, 20, 100, 500], help="cm3 of synthetic tumours")
    parser.add_argument("--golden", type=Path, help="folder of cases with ct/ and seg.dcm")
    parser.add_argument("--maps", action="store_true", help="feature maps as well")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another program")
    parser.add_argument("--peer-minutes", type=float, default=10, help="on a core, after which a peer is given up")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="keep tables and numbers there")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "SOURCE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measure(*given.measure)))
        return 0
    sources = {f"{cm3:g} cm³ in 512 × 512 × 200": str(cm3) for cm3 in given.volumes}
    if given.golden:
        sources |= {path.name: str(path) for path in sorted(given.golden.iterdir()) if (path / "seg.dcm").exists()}
    peers = [Peer(*text.partition("=")[::2], given.peer_minutes) for text in given.peer]
    rows: dict[str, dict[str, Any]] = {}
    features, maps, others = [_HEAD], [_MAPS_HEAD], [PEERS_HEAD]
    for name, source in sources.items():
        row = rows[name] = _measured_apart("compare", source)
        row["pyradiomics_mb"] = _measured_apart("pyradiomics", source)["mb"]
        row["fast_mb"] = _measured_apart("fast", source)["mb"]
        features.append(_row(name, row))
        print(features[-1], flush=True)
        if given.maps:
            row |= _measured_apart("maps", source)
            maps.append(_maps_row(name, row))
            print(maps[-1], flush=True)
        for peer in peers:
            row |= measure_peer(peer, source, _SETTINGS)
            others.append(peer_row(name, peer, row))
            print(others[-1], flush=True)
    for peer in peers:
        peer.close()
    if given.write:
        (given.write / "benchmarks.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        page = given.write / "benchmarks.md"
        before, _, rest = page.read_text().partition(_BEGIN)
        tables = "\n\n".join("\n".join(lines) for lines in (features, maps, others) if len(lines) > 1)
        page.write_text(f"{before}{_BEGIN}\n{tables}\n{_END}{rest.partition(_END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
