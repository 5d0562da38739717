"""One case: a CT volume with the lesions drawn on it, and what was found."""

from dataclasses import dataclass

from pydicom import Dataset

from pipelines.domain.coding import Code
from pipelines.domain.diameters import Diameters
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.verification import Verification
from pipelines.domain.volume import CtVolume, Mask


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Names one series within its study."""

    study: StudyUID
    series: SeriesUID


@dataclass(frozen=True, slots=True)
class Lesion:
    """A segment or ROI that holds at least one voxel of the CT.

    Attributes
    ----------
    number
        Segment Number or ROI Number, as sent.
    label
        Segment Label or ROI Name, decoded.
    tracking_id, tracking_uid
        As sent, or derived from the segmentation when it has none (PS3.3 C.8.20.2).
    kind
        Segmented Property Type, where the segmentation says it.
    regions
        Anatomic Region, as sent.
    tracking_id_sent, tracking_uid_sent
        True for identifiers that the segmentation holds; derived ones say nothing about other time points.
    """

    number: int
    label: str
    tracking_id: str
    tracking_uid: str
    kind: Code | None
    mask: Mask
    regions: tuple[Code, ...] = ()
    tracking_id_sent: bool = False
    tracking_uid_sent: bool = False


@dataclass(frozen=True, slots=True)
class SegmentationRef:
    """The segmentation of a case as it was received.

    Attributes
    ----------
    referable
        True for a SEG whose segment numbers a report can refer to; False for an RTSTRUCT or a label map, for which the
        node writes a segmentation of its own.
    """

    key: SeriesKey
    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    referable: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A CT series and one segmentation of it, read and found to fit together.

    Attributes
    ----------
    header
        Patient, study, equipment and frame-of-reference attributes of the CT (first slice, without pixel data).
    inputs_digest
        SHA-256 over UIDs and bytes of all instances that the case was read from.
    notes
        What a reader of the report should know (an empty segment, a resampled mask), each with its code.
    """

    ct: CtVolume
    ct_key: SeriesKey
    header: Dataset
    segmentation: SegmentationRef
    lesions: tuple[Lesion, ...]
    inputs_digest: str
    notes: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredLesion:
    """A lesion with its features, or the reason why it has none.

    Attributes
    ----------
    diameters
        None where they were not measured.
    verification
        How the features compare with those of another engine, where that was looked at.
    """

    lesion: Lesion
    features: FeatureVector | Rejected
    diameters: Diameters | None = None
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """How the numbers were made: enough to make them again.

    Attributes
    ----------
    profile, settings_digest
        Extraction settings by name and by SHA-256.
    settings
        The settings as (name, value) pairs for people to read.
    software
        (name, version) of everything that touched the numbers.
    maps
        Which features were to be mapped and why, for people to read; empty when none.
    hounsfield
        False when features were computed from intensities that are no longer HU.
    """

    pipeline: str
    pipeline_version: str
    profile: str
    settings_digest: str
    settings: tuple[tuple[str, str], ...]
    software: tuple[tuple[str, str], ...]
    maps: str = ""
    hounsfield: bool = True


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a pipeline found in a case; at least one lesion has features.

    Attributes
    ----------
    score
        None when no model is configured; `Rejected` when there is one and it could not be applied.
    """

    case: Case
    lesions: tuple[MeasuredLesion, ...]
    score: Score | Rejected | None
    maps: tuple[FeatureMap, ...]
    method: Method
