"""Times another radiomics program on lesions; runs in that program's own Python, which has nothing of ours.

    PYTHON benchmarks/peer.py pictologics|flash-radiomics SECONDS

Reads a file name a line: CASE.npz holds `hu` (slices, rows, columns), `mask` and `spacing` (x, y, z). Answers each with
one line of JSON, or is ended by SIGXCPU when a lesion takes more than SECONDS on a core. What it compiles or loads
before the first lesion does not count.
"""

import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the number of threads is read when it is loaded

BANDS = ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL")
FAMILIES = ["intensity", "histogram", "texture"]


def pictologics(hu: Any, mask: Any, spacing: tuple[float, float, float]) -> Callable[[], Any]:
    """The 14 image types of exampleCT.yaml at 1 mm: intensities and texture of all, morphology of the first."""
    from pictologics import Image, RadiomicsPipeline  # type: ignore[import-not-found]

    image = Image(array=np.ascontiguousarray(hu.transpose(2, 1, 0)), spacing=spacing, origin=(0.0, 0.0, 0.0))
    lesion = Image(array=np.ascontiguousarray(mask.transpose(2, 1, 0)), spacing=spacing, origin=(0.0, 0.0, 0.0))
    filters: list[dict[str, Any] | None] = [None]
    filters += [{"type": "log", "sigma_mm": float(sigma)} for sigma in range(1, 6)]
    filters += [{"type": "wavelet", "wavelet": "coif1", "level": 1, "decomposition": band} for band in BANDS]

    def pipeline(first_edges: list[float], families: list[str]) -> Any:
        run = RadiomicsPipeline(load_standard=False)
        for number, (parameters, first_edge) in enumerate(zip(filters, first_edges, strict=True)):
            steps: list[dict[str, Any]] = [
                {"step": "resample", "params": {"new_spacing": (1.0, 1.0, 1.0), "interpolation": "cubic"}}
            ]
            if parameters is not None:
                steps.append({"step": "filter", "params": parameters})
            binning = {"method": "FBS", "bin_width": 25.0, "min_val": first_edge}
            steps.append({"step": "discretise", "params": binning})
            more = ["morphology"] if parameters is None and families == FAMILIES else []
            steps.append({"step": "extract_features", "params": {"families": families + more}})
            run.add_config(f"image{number}", steps)
        return run

    # it wants to be told where the first bin begins, which PyRadiomics finds in each image: a run that does not count
    looked = pipeline([0.0] * len(filters), ["intensity"]).run(image, lesion)
    least = [
        next(float(value) for name, value in found.items() if name.startswith("minimum_intensity"))
        for found in looked.values()
    ]
    run = pipeline([25.0 * math.floor(value / 25.0) for value in least], FAMILIES)
    return lambda: run.run(image, lesion)


def flash(hu: Any, mask: Any, spacing: tuple[float, float, float]) -> Callable[[], Any]:
    """The settings of exampleCT.yaml."""
    import SimpleITK as sitk
    from flash_radiomics import featureextractor  # type: ignore[import-not-found]

    image, lesion = sitk.GetImageFromArray(hu), sitk.GetImageFromArray(mask)
    for volume in (image, lesion):
        volume.SetSpacing(spacing)
    extractor = featureextractor.RadiomicsFeatureExtractor(
        additionalInfo=False,
        interpolator="sitkBSpline",
        resampledPixelSpacing=[1, 1, 1],
        padDistance=10,
        binWidth=25,
        voxelArrayShift=1000,
        label=1,
    )
    extractor.disableAllImageTypes()
    extractor.enableImageTypeByName("Original")
    extractor.enableImageTypeByName("LoG", customArgs={"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]})
    extractor.enableImageTypeByName("Wavelet")
    return lambda: extractor.execute(image, lesion)


PROGRAMS = {"pictologics": pictologics, "flash-radiomics": flash}


def measured(name: str, path: Path) -> dict[str, Any]:
    """The median CPU seconds of three runs after a first one."""
    case = np.load(path)
    x, y, z = case["spacing"].tolist()
    work = PROGRAMS[name](case["hu"], case["mask"], (x, y, z))
    found = work()
    count = sum(len(part) for part in found.values()) if name == "pictologics" else len(found)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return {"cpu_s": statistics.median(seconds), "features": count}


def main() -> int:
    """Answer one line for each lesion."""
    name, seconds_at_most = sys.argv[1], int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    for line in sys.stdin:
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds_at_most, hard))
        try:
            answer = measured(name, Path(line.strip()))
        except Exception as fault:
            # whatever the program does not manage is its answer
            answer = {"error": f"{type(fault).__name__}: {fault}"[:200].replace("\n", " ")}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
