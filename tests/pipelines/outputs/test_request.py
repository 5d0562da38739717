"""Where a result says which order it answers."""

from dataclasses import replace

from pipelines.domain.case import Findings
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import StudyUID
from pipelines.domain.order import Order
from pipelines.imaging.order import with_order
from tests.node.pipeline import small_pipeline  # noqa: F401


def ordered(findings: Findings) -> Findings:
    order = Order(
        StudyUID(str(findings.case.ct_key.study)), "ACC-1", "RP-1", "CT chest", (Code("24627-2", "LN", "CT Chest"),)
    )
    return replace(findings, case=with_order(findings.case, order))
