"""A pipeline for the tests: a dozen made-up features and a map in a moment, and real objects made of them."""

from collections.abc import Callable

from pipelines.base import Accepts, OutputBuilder, Pipeline
from pipelines.domain.case import Case, Findings
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.parametric_map import map_objects
from tests.pipelines.outputs import synthetic


def made_up_findings(case: Case) -> Findings:
    """The same dozen features for the same case."""
    return synthetic.findings_of(case, synthetic.feature_names()[:12], with_nan=False)


def small_pipeline(
    measure: Callable[[Case], Findings | Rejected] = made_up_findings,
    outputs: tuple[OutputBuilder, ...] = (feature_report, map_objects),
) -> Pipeline:
    """A pipeline whose parts can be exchanged."""
    return Pipeline("test", "1", Accepts(CT_IMAGES, SEGMENTATIONS), measure, outputs)
