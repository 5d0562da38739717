"""One synthetic case for all tests of the outputs, and the objects that are built from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.case import Case, Findings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.sop_classes import RT_STRUCTURE_SET
from pipelines.outputs.case_report import case_report
from pipelines.outputs.diameter_report import diameter_report
from pipelines.outputs.key_objects import key_objects
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.page.objects import page_objects
from pipelines.outputs.page.settings import PageSettings
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from tests.pipelines.outputs import synthetic

SHAPE = (24, 64, 64)


@pytest.fixture(scope="session")
def ct() -> list[Dataset]:
    return synthetic.ct_series(SHAPE)


@pytest.fixture(scope="session")
def masks() -> list[NDArray[np.bool_]]:
    return synthetic.balls(SHAPE, 2)


@pytest.fixture(scope="session")
def case(ct: list[Dataset], masks: list[NDArray[np.bool_]]) -> Case:
    return synthetic.case_of(ct, masks)


@pytest.fixture(scope="session")
def findings(case: Case) -> Findings:
    """1,218 features for each of two lesions, one of them NaN."""
    return synthetic.findings_of(case)


@pytest.fixture(scope="session")
def small(case: Case) -> Findings:
    """A dozen finite features of every kind, for the tools that take long or cannot read NaN."""
    names = synthetic.feature_names()
    chosen = (*names[:8], "log-sigma-2-0-mm-3D_firstorder_Mean", "wavelet-LLH_glcm_Id", *names[20:24])
    return synthetic.findings_of(case, chosen, with_nan=False)


@pytest.fixture(scope="session")
def drawn_as_contours(findings: Findings) -> Findings:
    """The same findings for lesions that arrived as an RT Structure Set."""
    received = replace(findings.case.segmentation, sop_class=SopClassUID(RT_STRUCTURE_SET), referable=False)
    return replace(findings, case=replace(findings.case, segmentation=received))


@pytest.fixture(scope="session")
def objects(findings: Findings, drawn_as_contours: Findings) -> dict[str, ResultObject]:
    """One object of each kind."""
    made = [
        *feature_report(findings, synthetic.PRODUCER),
        *case_report(findings, synthetic.PRODUCER),
        *diameter_report(findings, synthetic.PRODUCER),
        *key_objects(findings, synthetic.PRODUCER),
        *page_objects(findings, synthetic.PRODUCER, settings=PageSettings(format="both")),
        *map_objects(findings, synthetic.PRODUCER),
        *segmentation_objects(drawn_as_contours, synthetic.PRODUCER),
    ]
    return {one.kind: one for one in made}


@pytest.fixture(scope="session")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    ct: list[Dataset],
    masks: list[NDArray[np.bool_]],
    objects: dict[str, ResultObject],
) -> Path:
    """Everything as files: `ct-01.dcm` and so on, `received-seg.dcm`, and each object by its kind."""
    path = tmp_path_factory.mktemp("study")
    for number, image in enumerate(ct, start=1):
        (path / f"ct-{number:02}.dcm").write_bytes(synthetic.part10(image))
    (path / "received-seg.dcm").write_bytes(synthetic.part10(synthetic.seg_of(ct, masks)))
    for kind, made in objects.items():
        (path / f"{kind}.dcm").write_bytes(made.data)
    return path
