"""Objects of many makers, sent over the wire to one running node: each is taken or refused, each case ends."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.ports import CaseRow
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import SopClassUID
from pipelines.outputs.iod.check import iod_faults
from tests.tools import CASE_TIMEOUT_S, ENDED, node, wait_for, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::UserWarning")]

# a code in place of results, by the path of the segmentation; all others are measured
REJECTED = {
    "objects/highdicom/seg_image_ct_binary.dcm": "CT-002",
    "objects/highdicom/seg_image_ct_binary_overlap.dcm": "CT-002",
    "objects/highdicom/seg_image_ct_true_fractional.dcm": "CT-002",
    "objects/highdicom/seg_image_sm_control_labelmap.dcm": "SEG-001",
    "objects/rtstruct/invalid_reference_rt.dcm": "CT-002",
    "objects/rtstruct/rt.dcm": "CT-002",
    "objects/seg/liver.dcm": "SEG-004",
    "objects/seg/partial_overlaps.dcm": "SEG-004",
    "objects/seg/sparse-labelmap-ppv5.dcm": "SEG-001",
    "objects/seg_compressed/liver_nonbyte_aligned_deflate.dcm": "SEG-004",
    "objects/seg_compressed/liver_rle.dcm": "SEG-004",
    "objects/tid1500_dcmqi/seg.dcm": "SEG-001",
    "objects/totalsegmentator_example/seg_binary.dcm": "SEG-004",
    "objects/totalsegmentator_example/seg_labelmap.dcm": "SEG-004",
}
# the same instance as another of them in another transfer syntax, so no case of its own
SENT_TWICE = {"objects/seg_compressed/liver_expb.dcm"}
# instances that the node does not store, and what the sender hears
NOT_STORED = {
    # no class of the node's
    **dict.fromkeys(
        (
            "objects/charset/chrX1.dcm",
            "objects/charset/chrX2.dcm",
            "objects/pmap/parametric_map_float.dcm",
            "objects/pmap/pm-example-slice.dcm",
            "objects/tid1500_dcmqi/rwvm.dcm",
        ),
        "NET-004",
    ),
    # another SOP Instance UID in the header of the file than in the data set: 0xA900
    **{f"objects/ct_gantry_tilt_siemens/IM-0001-000{number}.dcm": "NET-003" for number in range(1, 5)},
    # a SOP Instance UID that is none
    "objects/weird/bad_sequence.dcm": "RCV-001",
}
CASES = {"objects": 14, "cohort_sts": 16, "longitudinal": 27}


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of folders of files.

    Attributes
    ----------
    told
        How many instances were not stored for each code, as the sender was told.
    stored
        SOP Instance UIDs of what the node keeps, results included.
    made
        The results.
    """

    cases: tuple[CaseRow, ...]
    told: Counter[str]
    stored: frozenset[str]
    made: tuple[bytes, ...]
    log: str


def headers(shared_data: Path, folders: Iterable[str]) -> dict[str, Dataset]:
    """The headers of all DICOM files below `folders`, by their paths."""
    found = {}
    for folder in folders:
        for path in sorted((shared_data / folder).rglob("*")):
            if path.is_file() and path.suffix not in (".csv", ".md", ".nrrd"):
                found[str(path.relative_to(shared_data))] = dcmread(path, stop_before_pixels=True, force=True)
    return found


def send(folder: Path, shared_data: Path, folders: Iterable[str], cases: int, *, timeout_s: float) -> Sent:
    """Send `folders` to a node of their own, which makes the cheapest results, and wait for the end of all cases."""
    config = write_config(
        folder,
        assembly={"series_quiet_s": 2, "tick_s": 0.2, "missing_timeout_s": 10},
        extraction={"verify_every": 0},
        maps={"features": []},
        outputs={"kinds": ["seg", "sr-case"]},
    )
    with node(config) as running:
        told: Counter[str] = Counter()
        for one in folders:
            done = running.command("submit", str(shared_data / one))
            for count, code in re.findall(r"^(\d+) x (\S+)", done.stdout + done.stderr, re.MULTILINE):
                told[code] += int(count)

        def all_ended() -> bool:
            rows = running.cases()
            return len(rows) == cases and all(row.state in ENDED | {CaseState.REPORTED} for row in rows)

        wait_for(f"the end of {cases} cases", all_ended, timeout_s=timeout_s)
        rows = running.cases()
        details = [running.detail(row.case) for row in rows]
        spool = running.settings.data_dir / "spool"
        made = [(spool / result.result.file.path) for detail in details if detail for result in detail.results]
        stored = {str(dcmread(path, stop_before_pixels=True).get("SOPInstanceUID")) for path in spool.rglob("*.dcm")}
        assert running.process.poll() is None
        return Sent(rows, told, frozenset(stored), tuple(path.read_bytes() for path in made), running.log.read_text())


def assert_as_expected(sent: Sent, known: dict[str, Dataset]) -> None:
    """Each case has ended as the tables say, and each instance was kept that is not said to be refused."""
    path_of = {
        str(dataset.SOPInstanceUID): path
        for path, dataset in known.items()
        if dataset.get("Modality") in ("SEG", "RTSTRUCT") and path not in SENT_TWICE
    }
    state = {path_of[row.segmentation]: (row.state, row.code) for row in sent.cases}
    assert [path for path, (found, _) in state.items() if found is CaseState.FAILED] == []
    assert state == {
        path: (CaseState.REJECTED, REJECTED[path]) if path in REJECTED else (CaseState.REPORTED, "")
        for path in path_of.values()
    }
    refused = {path: code for path, code in NOT_STORED.items() if path in known}
    kept = {path for path, dataset in known.items() if str(dataset.get("SOPInstanceUID")) in sent.stored}
    assert set(known) - kept == set(refused)
    assert sent.told == Counter(refused.values())
    # a fault of the node's own has an event and a trace of calls
    assert "Traceback" not in sent.log
    for data in sent.made:
        made = dcmread(BytesIO(data), stop_before_pixels=True)
        assert list(iod_faults(data, SopClassUID(str(made.SOPClassUID)))) == []


def test_objects_of_many_makers_end_as_they_should(shared_data: Path, tmp_path: Path) -> None:
    folders = ("objects", "cohort_sts/STS_002", "longitudinal/SYN-D01/tp3_20230501")
    sent = send(tmp_path, shared_data, folders, CASES["objects"] + 3, timeout_s=CASE_TIMEOUT_S)
    assert_as_expected(sent, headers(shared_data, folders))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_that_was_collected_ends_as_it_should(shared_data: Path, tmp_path: Path) -> None:
    sent = send(tmp_path, shared_data, CASES, sum(CASES.values()), timeout_s=500)
    assert_as_expected(sent, headers(shared_data, CASES))
