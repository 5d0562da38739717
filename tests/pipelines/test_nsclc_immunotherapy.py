from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.base import Pipeline, build_objects
from pipelines.domain.case import Case, Findings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.extraction.settings import load_profile
from pipelines.nsclc_immunotherapy import MapSettings, pipeline
from pipelines.scoring.model import read_model
from tests.lesions import tissue
from tests.pipelines.outputs import synthetic

DEMO = Path(__file__).parents[2] / "config" / "models" / "demo" / "model.json"
SHAPE = (14, 40, 60)
NO_MAPS = MapSettings((), 0, 1, 0)


def ready(maps: MapSettings, *, model: bool = True, strict: bool = False) -> Pipeline:
    demo = read_model(DEMO.read_bytes()) if model else None
    made = pipeline(load_profile("recommended"), model=demo, maps=maps, strict=strict)
    assert isinstance(made, Pipeline)
    return made


@pytest.fixture(scope="module")
def case() -> Case:
    made = synthetic.case_of(synthetic.ct_series(SHAPE), synthetic.balls(SHAPE, 2))
    hu = tissue(np.random.default_rng(5), SHAPE)
    return replace(made, ct=replace(made.ct, hu=hu))


def measured(of: Pipeline, case: Case) -> Findings:
    findings = of.measure(case)
    assert isinstance(findings, Findings)
    return findings


def test_by_default_the_case_gets_one_map_of_all_lesions_for_each_of_the_models_features(case: Case) -> None:
    made = ready(MapSettings(("model",), 2, 1, 800))
    findings = measured(made, case)
    objects = [one for one in build_objects(made, findings, synthetic.PRODUCER) if isinstance(one, ResultObject)]
    assert [(one.kind, one.lesion_number) for one in objects] == [
        ("sr-features", None),
        ("sr-case", None),
        ("sr-diameters", None),
        ("key-objects", None),
        ("page-pdf", None),
        ("map", None),
        ("map-2", None),
    ]
    assert {found.lesion_number for found in findings.maps} == {1, 2}
    wanted = ["wavelet-HLH_gldm_DependenceEntropy", "original_glcm_InverseVariance"]
    assert [found.feature for found in findings.maps[:2]] == wanted
    for found in findings.maps:
        assert np.ptp(found.values) > 0
    # the phantom of this test is nothing that the demonstration was trained on
    assert {note.code for note in findings.case.notes} == {"MODEL-011", "MODEL-012"}


def test_report_and_configuration_say_which_maps_were_chosen_and_why(case: Case) -> None:
    made = ready(MapSettings(("model",), 1, 2, 300))
    assert made.maps == (
        "wavelet-HLH_gldm_DependenceEntropy (coefficient -0.2854 in pulmonode-demo 1.1.0); cubes of 5 voxels, "
        "300 MB at most"
    )
    objects = list(build_objects(made, measured(made, case), synthetic.PRODUCER))
    report = next(one for one in objects if isinstance(one, ResultObject) and one.kind == "sr-case")
    assert made.maps.encode() in report.data


def test_another_choice_of_maps_gives_other_uids(case: Case) -> None:
    reports = []
    for count in (1, 2):
        made = ready(MapSettings(("model",), count, 1, 800))
        objects = list(build_objects(made, measured(made, case), synthetic.PRODUCER))
        reports.append(next(o.sop_instance for o in objects if isinstance(o, ResultObject) and o.kind == "sr-case"))
    assert reports[0] != reports[1]


def test_maps_that_have_no_room_are_left_out_and_the_report_says_so(case: Case) -> None:
    # 40 slices of 512 x 512 voxels take 40 MB a map
    shape = (40, 512, 512)
    hu = np.zeros(shape, dtype=np.int16)
    hu[: SHAPE[0], : SHAPE[1], : SHAPE[2]] = case.ct.hu
    grid = replace(case.ct.grid, shape=shape)
    large = replace(case, ct=replace(case.ct, hu=hu, grid=grid, slices=(case.ct.slices[0],) * shape[0]))
    asked = ("original_glcm_Id", "original_firstorder_Mean", "original_glcm_Contrast")
    findings = measured(ready(MapSettings(asked, 1, 1, 80), model=False), large)
    assert {found.feature for found in findings.maps} == set(asked[:2])
    (note,) = findings.case.notes
    assert note.code == "MAP-001"
    assert "original_glcm_Contrast" in note.detail
    assert "80 MB" in note.detail
    none = measured(ready(MapSettings(asked, 1, 1, 39)), large)
    assert none.maps == ()


def test_without_a_model_local_entropy_is_mapped(case: Case) -> None:
    findings = measured(ready(MapSettings(("model",), 2, 1, 800), model=False), case)
    assert {found.feature for found in findings.maps} == {"original_firstorder_Entropy"}


def test_what_pyradiomics_maps_is_noted(case: Case) -> None:
    findings = measured(ready(MapSettings(("original_ngtdm_Coarseness",), 1, 1, 800), model=False), case)
    assert {note.code for note in findings.case.notes} == {"ROI-004"}
    assert {found.feature for found in findings.maps} == {"original_ngtdm_Coarseness"}


def test_a_case_that_is_unlike_the_training_data_is_scored_with_warnings_among_its_notes(case: Case) -> None:
    # noise in balls is nothing that the demonstration was trained on
    findings = measured(ready(NO_MAPS), case)
    assert isinstance(findings.score, Score)
    codes = [warning.code for warning in findings.score.warnings]
    assert {"MODEL-011", "MODEL-012"} <= set(codes)
    assert findings.case.notes[-len(codes) :] == findings.score.warnings


def test_a_strict_node_measures_a_case_that_is_unlike_the_training_data_and_does_not_score_it(case: Case) -> None:
    findings = measured(ready(NO_MAPS, strict=True), case)
    assert isinstance(findings.score, Rejected)
    assert findings.score.code == "MODEL-005"
    assert "MODEL-011" in findings.score.detail
    assert all(not isinstance(one.features, Rejected) for one in findings.lesions)


def test_a_case_is_measured_whatever_became_of_the_model(case: Case) -> None:
    retired = Rejected("MODEL-008", "Model x 1 was retired.", "Activate another.")
    made = pipeline(load_profile("recommended"), model=retired, maps=NO_MAPS)
    assert isinstance(made, Pipeline)
    findings = measured(made, case)
    assert findings.score == retired
    (report,) = (
        one
        for one in build_objects(made, findings, synthetic.PRODUCER)
        if isinstance(one, ResultObject) and one.kind == "sr-case"
    )
    assert str(retired).encode() in report.data
