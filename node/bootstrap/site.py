"""What is decided for this site, in the words of the core."""

from typing import Final

from node.settings import Settings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.priority import Precedence, precedence
from pipelines.domain.sop_classes import CT_IMAGES, READER_REPORTS, SEGMENTATIONS
from pipelines.imaging.geometry import Tolerances

PIPELINE: Final = "nsclc-immunotherapy"
RESPONSE: Final = "sr-response"
"""The result that has patients assessed over time, where `outputs.kinds` names it."""


def storage_classes(settings: Settings) -> frozenset[SopClassUID]:
    """SOP classes that the node accepts."""
    return (
        CT_IMAGES
        | SEGMENTATIONS
        | READER_REPORTS
        | {SopClassUID(uid) for uid in settings.receive.extra_storage_classes}
    )


def lesion_rule(settings: Settings) -> LesionRule:
    """Which segments are lesions at this site."""
    chosen = settings.lesions
    return LesionRule(
        chosen.include,
        chosen.exclude,
        chosen.include_codes,
        chosen.exclude_codes,
        chosen.algorithms,
        chosen.unnamed,
    )


def tolerances(settings: Settings) -> Tolerances:
    """How exactly the slices of a CT have to stack up."""
    imaging = settings.imaging
    return Tolerances(imaging.position_tolerance_mm, imaging.spacing_tolerance, imaging.angle_tolerance_degrees)


def precedence_rule(settings: Settings) -> Precedence:
    """Which cases go first at this site."""
    queue = settings.queue
    return precedence(queue.urgent_from, queue.off_peak_from, queue.off_peak_hours)
