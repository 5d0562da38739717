"""Patients with known lesions, sent scan by scan to a whole node."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.adapters.demo_pacs import DemoPacs
from pipelines.domain import response_codes as c
from pipelines.domain.coding import IMAGING_MEASUREMENTS
from pipelines.domain.identifiers import CaseId
from pipelines.outputs.check import named_items, numbers_named
from tests.pipelines.response.patients import rows
from tests.tools import CASE_TIMEOUT_S, RunningNode, node, wait_for, write_config

pytestmark = pytest.mark.e2e

CODES = {"CR": c.OVERALL_CR, "PR": c.OVERALL_PR, "SD": c.OVERALL_SD, "PD": c.OVERALL_PD}
PATTERNS = {"none": c.NO_PROGRESSION, "oligo": c.PATTERN_OLIGO, "systemic": c.PATTERN_SYSTEMIC}
RESISTANCES = {"none": c.NO_PROGRESSION, "primary": c.RESISTANCE_PRIMARY, "acquired": c.RESISTANCE_ACQUIRED}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a patient: overall response by day, and the whole."""

    responses: Mapping[str, str]
    pattern: str
    resistance: str
    best: str
    first_dose: str


def truth(root: Path, patient: str) -> Truth:
    (told,) = [row for row in rows(root / "truth_patients.csv") if row["patient"] == patient]
    visits = [row for row in rows(root / "truth_timepoints.csv") if row["patient"] == patient]
    days = [f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in (row["date"] for row in visits)]
    return Truth(
        {day: row["overall_recist11"] for day, row in zip(days, visits, strict=True)},
        told["progression_pattern"],
        told["resistance"],
        told["best_overall_response"],
        told["first_dose"],
    )


def folders(root: Path, patient: str) -> list[Path]:
    return sorted((root / patient).glob("tp*"))


def reports(node_: RunningNode, pacs: DemoPacs, folder: Path, cases: int) -> list[Dataset]:
    """The reports of all cases as they arrived in the archive, oldest visit first, once nothing waits any more."""
    from node.bootstrap.stores import open_stores

    stores = open_stores(node_.settings)

    def look() -> list[Dataset] | None:
        said = [stores.history.assessed(CaseId(case)) for case in range(1, cases + 1)]
        held = set(pacs.stored())
        done = [one.report.sop_instance for one in said if one is not None and one.report is not None and one.current]
        patient = stores.history.patient_of(CaseId(1))
        if len(done) < cases or not held.issuperset(done) or patient is None or stores.history.asked(patient):
            return None
        found = [dcmread(path) for path in folder.rglob("*") if path.is_file()]
        return [one for one in found if one.SOPInstanceUID in done]

    made: list[Dataset] = wait_for(f"the reports (log: {node_.log})", look, timeout_s=CASE_TIMEOUT_S)
    return sorted(made, key=lambda one: str(one.StudyDate))


def groups(report: Dataset) -> list[Sequence[Dataset]]:
    return [
        group.ContentSequence
        for top in named_items(report.ContentSequence, IMAGING_MEASUREMENTS)
        for group in top.ContentSequence
    ]


def code(items: Sequence[Dataset], name: object) -> str:
    return "".join(item.ConceptCodeSequence[0].CodeValue for item in named_items(items, name))  # type: ignore[arg-type]


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[tuple[DemoPacs, int]]:
    archive = DemoPacs(tmp_path / "pacs")
    yield archive, archive.start()
    archive.stop()


def configured(folder: Path, port: int) -> Path:
    return write_config(
        folder,
        destinations={"PACS": ("DEMOPACS", port)},
        outputs={"kinds": ["sr-response"]},
        maps={"features": []},
        scoring={"model": ""},
    )


def assert_true(made: Sequence[Dataset], told: Truth) -> None:
    for report, (day, expected) in zip(made, told.responses.items(), strict=True):
        course = groups(report)[0]
        assert code(course, c.CURRENT_RESPONSE) == ("" if expected == "BL" else CODES[expected].value), day
    last = groups(made[-1])[0]
    assert code(last, c.BEST_OVERALL_RESPONSE) == CODES[told.best].value
    assert code(last, c.PROGRESSION_PATTERN) == PATTERNS[told.pattern].value
    assert code(last, c.RESISTANCE) == RESISTANCES[told.resistance].value


def send(running: RunningNode, path: Path) -> None:
    done = running.command("submit", str(path))
    assert done.returncode == 0, done.stderr


def begun(running: RunningNode, patient: str, told: Truth) -> None:
    """Tell the node when treatment began."""
    done = running.command("patient", "set", patient, "--ici-start", told.first_dose, "--by", "study nurse")
    assert done.returncode == 0, done.stderr


def test_lesions_without_names_are_followed_to_oligoprogression(
    shared_data: Path, tmp_path: Path, pacs: tuple[DemoPacs, int]
) -> None:
    root = shared_data / "longitudinal"
    archive, port = pacs
    told = truth(root, "SYN-D05")
    with node(configured(tmp_path, port)) as running:
        for folder in folders(root, "SYN-D05"):
            send(running, folder)
        before = reports(running, archive, tmp_path / "pacs", 3)
        # without the first dose the rules leave open what depends on it, and it is made good when it is told
        assert code(groups(before[-1])[0], c.RESISTANCE) == c.INDETERMINATE.value
        begun(running, "SYN-D05", told)
        made = reports(running, archive, tmp_path / "pacs", 3)
        assert "after registration" in running.command("status", "2").stdout
    assert_true(made, told)
    assert not {one.SOPInstanceUID for one in made} & {one.SOPInstanceUID for one in before}
    for new, old in zip(made, before, strict=True):
        assert referenced(new.PredecessorDocumentsSequence) == {old.SOPInstanceUID}
    assert referenced(made[-1].PertinentOtherEvidenceSequence) == {one.SOPInstanceUID for one in made[:-1]}


def referenced(studies: Sequence[Dataset]) -> set[str]:
    return {
        item.ReferencedSOPInstanceUID
        for study in studies
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_scans_in_any_order_and_a_late_segmentation_give_the_same_answers(
    shared_data: Path, tmp_path: Path, pacs: tuple[DemoPacs, int]
) -> None:
    root = shared_data / "longitudinal"
    archive, port = pacs
    told = truth(root, "SYN-D01")
    first, second, third = folders(root, "SYN-D01")
    with node(configured(tmp_path, port)) as running:
        begun(running, "SYN-D01", told)
        send(running, second / "ct")
        send(running, third)
        alone = reports(running, archive, tmp_path / "pacs", 1)
        assert code(groups(alone[0])[0], c.CURRENT_RESPONSE) == ""
        send(running, first)
        reports(running, archive, tmp_path / "pacs", 2)
        send(running, second / "seg.dcm")
        made = reports(running, archive, tmp_path / "pacs", 3)
    assert_true(made, told)
    assert referenced(made[-1].PertinentOtherEvidenceSequence) == {one.SOPInstanceUID for one in made[:-1]}
    assert referenced(made[-1].PredecessorDocumentsSequence)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("patient", [f"SYN-D0{number}" for number in range(1, 9)])
def test_scans_that_come_backwards_with_late_segmentations_give_the_truth(
    shared_data: Path, tmp_path: Path, pacs: tuple[DemoPacs, int], patient: str
) -> None:
    root = shared_data / "longitudinal"
    archive, port = pacs
    told = truth(root, patient)
    visits = folders(root, patient)
    with node(configured(tmp_path, port)) as running:
        for folder in reversed(visits):
            send(running, folder / "ct")
        # the last visit first, and the baseline last of all
        for folder in reversed(visits):
            send(running, folder / "seg.dcm")
        begun(running, patient, told)
        made = reports(running, archive, tmp_path / "pacs", len(told.responses))
    assert_true(made, told)


def empty(segmentation: Path, folder: Path, *, frames: bool) -> Path:
    """A copy in which nothing is drawn, with frames of zeros or without any frame."""
    drawn = dcmread(segmentation)
    if frames:
        drawn.PixelData = bytes(len(drawn.PixelData))
    else:
        drawn.NumberOfFrames = 0
        drawn.PerFrameFunctionalGroupsSequence = []
        del drawn.PixelData
    drawn.save_as(folder / "empty.dcm")
    return folder / "empty.dcm"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("frames", [True, False])
def test_an_empty_segmentation_is_a_visit_at_which_all_lesions_are_gone(
    shared_data: Path, tmp_path: Path, pacs: tuple[DemoPacs, int], *, frames: bool
) -> None:
    root = shared_data / "longitudinal"
    archive, port = pacs
    first, second, third = folders(root, "SYN-D01")
    with node(configured(tmp_path, port)) as running:
        begun(running, "SYN-D01", truth(root, "SYN-D01"))
        send(running, first)
        send(running, second)
        send(running, third / "ct")
        send(running, empty(third / "seg.dcm", tmp_path, frames=frames))
        made = reports(running, archive, tmp_path / "pacs", 3)
        assert "No lesion has a voxel" in running.command("status", "3").stdout
    last = groups(made[-1])
    assert code(last[0], c.CURRENT_RESPONSE) == c.OVERALL_CR.value
    assert numbers_named(last[3], c.SUM_OF_DIAMETERS) == [0.0]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("patient", [f"SYN-D0{number}" for number in range(1, 9)])
def test_the_truth_of_every_patient_comes_out(
    shared_data: Path, tmp_path: Path, pacs: tuple[DemoPacs, int], patient: str
) -> None:
    root = shared_data / "longitudinal"
    archive, port = pacs
    told = truth(root, patient)
    with node(configured(tmp_path, port)) as running:
        begun(running, patient, told)
        for folder in folders(root, patient):
            send(running, folder)
        made = reports(running, archive, tmp_path / "pacs", len(told.responses))
    assert_true(made, told)
