"""Every variant of a CT and of a segmentation, sent over the wire to one running node, ends with results or a code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from node.ports import CaseDetail
from pipelines.domain.case_state import CaseState
from tests.tools import CASE_TIMEOUT_S, ENDED, node, node_command, wait_for, write_config

# a code in place of results; all others are measured
REFUSED = {
    "missing_slice/seg.dcm": "CT-002",
    "truncated_file/seg.dcm": "CT-002",
    "seg_on_base/wrong_frame_of_reference.dcm": "SEG-003",
    "seg_on_base/unknown_series.dcm": "SEG-001",
    "seg_on_base/one_voxel.dcm": "ROI-001",
}


@pytest.fixture(scope="module")
def ended(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseDetail]]:
    """How each case ended, by the path of its segmentation among the variants."""
    variants = shared_data / "variants"
    segmentations = {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): str(path.relative_to(variants))
        for path in sorted(variants.rglob("*.dcm"))
        if "ct" not in path.parts
    }
    folder = tmp_path_factory.mktemp("variants")
    # no destination: the results stay in the node, and a case that is reported has ended
    config = write_config(folder, assembly={"series_quiet_s": 2, "tick_s": 0.2, "missing_timeout_s": 30})
    with node(config) as running:
        node_command(config, "submit", str(variants))

        def all_ended() -> bool:
            rows = running.cases()
            return len(rows) == len(segmentations) and all(row.state in ENDED | {CaseState.REPORTED} for row in rows)

        wait_for("the end of all cases", all_ended, timeout_s=CASE_TIMEOUT_S)
        found = {}
        for row in running.cases():
            detail = running.detail(row.case)
            assert detail is not None
            found[segmentations[row.segmentation]] = detail
        assert running.process.poll() is None
        yield found


def test_each_variant_ends_as_it_should(ended: dict[str, CaseDetail]) -> None:
    outcome = {
        name: detail.row.code if detail.row.state is CaseState.REJECTED else "" for name, detail in ended.items()
    }
    assert {name: code for name, code in outcome.items() if code} == REFUSED
    assert {detail.row.state for name, detail in ended.items() if name not in REFUSED} == {CaseState.REPORTED}
