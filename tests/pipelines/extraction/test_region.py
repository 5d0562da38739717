import numpy as np
import pytest

from pipelines.extraction.memory import Memory
from pipelines.extraction.native import BLOCK, Blocks
from pipelines.extraction.region import STEPS, region_of, workspace_for


def lined_of(*voxels: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    mask = np.zeros((8, 8, 8), dtype=np.bool_)
    for voxel in voxels:
        mask[voxel] = True
    return {step for step, lined in zip(STEPS, region_of(mask, ((0, 8), (0, 8), (0, 8))).lined, strict=True) if lined}


def test_a_direction_counts_when_a_line_holds_two_voxels_that_do_not_touch() -> None:
    assert lined_of((0, 0, 0), (0, 0, 5)) == {(0, 0, -1)}
    assert lined_of((1, 1, 1), (4, 4, 4)) == {(-1, -1, -1)}
    assert lined_of((1, 4, 6), (3, 6, 4)) == {(-1, -1, 1)}


def test_no_direction_counts_when_no_line_holds_two_voxels() -> None:
    assert lined_of((0, 0, 0), (1, 2, 5)) == set()


def test_the_thirteen_steps_and_their_opposites_are_all_neighbours() -> None:
    both = {step for z, y, x in STEPS for step in ((z, y, x), (-z, -y, -x))}
    assert len(STEPS) == 13
    assert len(both) == 26


def test_levels_land_on_the_voxels_of_the_lesion() -> None:
    mask = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    region = region_of(mask, ((0, 3), (0, 4), (0, 5)))
    for dtype in (np.uint8, np.uint16):
        frame = workspace_for(region, Memory()).frame(region, dtype)
        for _, begin, length in region.runs.places.tolist():
            frame.reshape(-1)[begin : begin + length] = 1
        assert frame.dtype == dtype
        assert np.array_equal(frame[1:-1, 1:-1, 1:6] == 1, mask)
        assert frame.sum() == region.count == mask.sum()


def test_runs_name_the_voxels_of_the_lesion_in_the_order_of_the_array() -> None:
    mask = np.random.default_rng(2).random((3, 4, 5)) > 0.4
    region = region_of(mask, ((0, 3), (0, 4), (0, 5)))
    named = [begin + step for begin, _, length in region.runs.places.tolist() for step in range(length)]
    assert named == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_rows_of_a_frame_reach_from_the_first_to_the_last_voxel(share: float) -> None:
    mask = np.random.default_rng(4).random((4, 6, 21)) < share
    mask[1, 1, 0] = mask[2, 2, -1] = True
    first, stop = region_of(mask, ((0, 4), (0, 6), (0, 21))).rows
    framed = np.pad(mask, 1)
    assert first.shape == stop.shape == framed.shape[:2]
    for place in np.ndindex(first.shape):
        columns = np.flatnonzero(framed[place])
        assert (first[place], stop[place]) == ((columns[0], columns[-1] + 1) if columns.size else (0, 0))


@pytest.mark.parametrize("share", [0.02, 0.6, 1.0])
def test_blocks_hold_each_row_from_its_first_to_its_last_voxel_once(share: float) -> None:
    mask = np.random.default_rng(6).random((4, 6, 70)) < share
    mask[1, 1, 0] = mask[2, 2, -1] = True
    region = region_of(mask, ((0, 4), (0, 6), (0, 70)))
    slices, rows, stride = region.blocks.shape
    looked_at = np.zeros((slices, rows * stride), dtype=np.int64)
    ends = [*region.blocks.begin.tolist()[1:], len(region.blocks.places)]
    for z, (begin, end) in enumerate(zip(region.blocks.begin.tolist(), ends, strict=True)):
        for at, count in region.blocks.places[begin:end].tolist():
            assert 0 < count <= BLOCK
            looked_at[z, at : at + count] += 1
    columns, (first, stop) = np.arange(stride), region.rows
    wanted = (first[..., None] <= columns) & (columns < stop[..., None])
    assert np.array_equal(looked_at.reshape(wanted.shape), wanted)


def test_blocks_of_rows_that_leave_their_frame_are_refused() -> None:
    first, stop = np.zeros((3, 3), np.int64), np.zeros((3, 3), np.int64)
    stop[1, 1] = 48
    with pytest.raises(ValueError, match="frame"):
        Blocks.of((first, stop), 48)
    first[1, 1], stop[1, 1] = -1, 3
    with pytest.raises(ValueError, match="frame"):
        Blocks.of((first, stop), 48)


def test_a_region_reaches_as_far_as_its_voxels_in_each_row_and_slice() -> None:
    mask = np.random.default_rng(2).random((6, 7, 9)) > 0.9
    mask[2], mask[:, 3], mask[4, 5] = False, False, True
    reach = region_of(mask, ((0, 6), (0, 7), (0, 9))).reach.ends.tolist()
    wanted = []
    # rows along (slice, column), then slices along (row, column)
    for plane in (*mask.swapaxes(0, 1), *mask):
        across, along = np.nonzero(plane)
        some = along.size > 0
        wanted.append([along.min(), along.max() + 1, across.min(), across.max() + 1] if some else [0, 0, 0, 0])
    assert reach == wanted
    assert reach[3] == reach[7 + 2] == [0, 0, 0, 0]
