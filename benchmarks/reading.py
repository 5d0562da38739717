"""What reading a long CT costs, with all slices decoded and with those that the lesion needs.

`python -m benchmarks.reading [--slices 320]` makes a chest-sized series in several transfer syntaxes and prints CPU
seconds of reading the case and computing its features with the fast engine.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.extraction import fast
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from tests.dicom import as_bytes, ct_series, seg_of

SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)


def series(slices: int, size: int) -> tuple[list[Dataset], Dataset]:
    """A CT of `slices` slices of 1.25 mm, and a lesion of about 20 ml in its middle."""
    ct = ct_series(slices=slices, rows=size, columns=size, spacing_mm=(0.7, 0.7, 1.25))
    k, r, c = np.meshgrid(*(np.arange(n) - n / 2 for n in (slices, size, size)), indexing="ij", sparse=True)
    ball = (k * 1.25) ** 2 + (r * 0.7) ** 2 + (c * 0.7) ** 2 <= 17.0**2
    return ct, seg_of(ct, {1: ball})


def in_syntax(ct: Sequence[Dataset], syntax: UID) -> list[bytes]:
    """The files of the series in another transfer syntax."""
    made = []
    for instance in ct:
        if syntax.is_compressed:
            instance.compress(syntax, generate_instance_uid=False)
        made.append(as_bytes(instance))
        if syntax.is_compressed:
            instance.decompress(generate_instance_uid=False)
    return made


def measured(files: Sequence[bytes], segmentation: Dataset, *, whole: bool) -> tuple[float, int]:
    """CPU seconds from the files to the features, and how many slices were decoded."""
    started = time.process_time()
    case = read_case([dcmread(BytesIO(data)) for data in files], segmentation, inputs_digest="benchmark")
    if not isinstance(case, Case):
        raise SystemExit(str(case))
    if whole:
        np.asarray(case.ct.hu)
    found = fast.extract(case.ct, case.lesions[0], load_profile("recommended"))
    if not isinstance(found, FeatureVector):
        raise SystemExit(str(found))
    return time.process_time() - started, getattr(case.ct.hu, "decoded", len(files))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each transfer syntax."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading")
    parser.add_argument("--slices", type=int, default=320)
    parser.add_argument("--size", type=int, default=512, help="rows and columns")
    chosen = parser.parse_args(arguments)
    ct, segmentation = series(chosen.slices, chosen.size)
    print(f"{'transfer syntax':<50}{'all slices':>12}{'needed':>12}{'ratio':>8}{'decoded':>10}")
    for syntax in SYNTAXES:
        files = in_syntax(ct, syntax)
        measured(files, segmentation, whole=True)
        whole, _ = min(measured(files, segmentation, whole=True) for _ in range(2))
        part, decoded = min(measured(files, segmentation, whole=False) for _ in range(2))
        print(f"{syntax.name[:48]:<50}{whole:>10.2f} s{part:>10.2f} s{whole / part:>8.1f}{decoded:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
