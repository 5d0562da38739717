"""CPU time to read a segmentation beside highdicom, side by side in one process, as a Markdown table.

    python -m benchmarks.segmentation [--slices 500] [--segments 5] [--runs 3]

Both read the same bytes and end with a mask of each segment. highdicom reads with its fastest way, `segread` and
`get_volume`; the node with `dcmread` and `read_segmentation`. Times are CPU seconds, the best of a few runs in turns.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from io import BytesIO

import highdicom
import numpy as np
from pydicom import dcmread

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
)
from pipelines.domain.volume import CtVolume, Grid, SliceRef
from pipelines.imaging.seg import Drawn, read_segmentation
from pipelines.phantom.chest import CT_IMAGE_STORAGE
from pipelines.phantom.dicom import Identity, Segment, ct_series, part10, segmentation


def case(slices: int, segments: int, share: float) -> tuple[CtVolume, bytes]:
    """A CT of `slices` x 512 x 512 and a BINARY segmentation of balls on `share` of its slices, no frame empty."""
    shape = (slices, 512, 512)
    grid = Grid(shape, (-180.0, -180.0, 0.0), (0.7, 0.7, 1.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    refs = tuple(
        SliceRef(SopClassUID(CT_IMAGE_STORAGE), SopInstanceUID(derived_uid("benchmark", str(i)))) for i in range(slices)
    )
    ct = CtVolume(np.zeros(shape, np.int16), grid, FrameOfReferenceUID(derived_uid("benchmark frame")), refs)
    key = SeriesKey(StudyUID(derived_uid("benchmark study")), SeriesUID(derived_uid("benchmark ct")))
    images = ct_series(ct, key, Identity("BENCH^MARK", "B", date(2026, 1, 1)))
    each = round(slices * share / segments)
    made = []
    for number in range(segments):
        mask = np.zeros(shape, dtype=np.uint8)
        z, y, x = np.ogrid[-1 : 1 : each * 1j, -1:1:80j, -1:1:80j]  # type: ignore[misc]
        start = number * each
        mask[start : start + each, 100:180, 60 + 80 * number : 140 + 80 * number] = z**2 * 0.9 + y**2 + x**2 <= 1
        made.append(Segment(f"Lesion {number + 1}", f"L{number + 1}", derived_uid("lesion", str(number)), mask))
    return ct, part10(segmentation(images, made))


def same_voxels(volume: highdicom.Volume, drawn: Drawn, ct: CtVolume) -> bool:
    """Whether both found the same voxels of each segment."""
    labels = np.zeros(ct.grid.shape, dtype=np.uint8)
    for lesion in drawn.lesions:
        labels[lesion.mask.box][lesion.mask.voxels] = lesion.number
    theirs = np.zeros_like(labels)
    for index, pixels in enumerate(volume.array):
        place = volume.map_indices_to_reference(np.array([[index, 0, 0]]))[0]
        theirs[round((place[2] - ct.grid.origin_mm[2]) / ct.grid.spacing_mm[2])] = pixels
    return bool(np.array_equal(theirs, labels))


def by_highdicom(data: bytes) -> highdicom.Volume:
    """All segments as one labelled volume over the slices that have frames, which is highdicom's fastest way."""
    return highdicom.seg.segread(BytesIO(data)).get_volume(combine_segments=True, skip_overlap_checks=True)


def by_node(data: bytes, ct: CtVolume) -> Drawn:
    """What a worker does with the bytes of a segmentation."""
    drawn = read_segmentation(dcmread(BytesIO(data)), ct)
    assert isinstance(drawn, Drawn), drawn
    return drawn


def _in_turns(one: Callable[[], object], other: Callable[[], object], runs: int) -> tuple[float, float]:
    """The best CPU seconds of each."""
    seconds = [(_seconds(one), _seconds(other)) for _ in range(runs)]
    return min(first for first, _ in seconds), min(second for _, second in seconds)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--segments", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print("| segmentation | frames | highdicom | this node | ratio | voxels equal |")
    print("|---|---|---|---|---|---|")
    for share in (0.5, 1.0):
        ct, data = case(given.slices, given.segments, share)
        frames = dcmread(BytesIO(data), stop_before_pixels=True).NumberOfFrames
        same = same_voxels(by_highdicom(data), by_node(data, ct), ct)
        theirs, ours = _in_turns(partial(by_highdicom, data), partial(by_node, data, ct), given.runs)
        print(
            f"| {given.slices} slices of 512 × 512, {given.segments} segments | {frames} | {theirs:.2f} s "
            f"| {ours:.2f} s | {ours / theirs:.2f} | {'yes' if same else 'NO'} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
