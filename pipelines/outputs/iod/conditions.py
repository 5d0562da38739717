"""Which attributes of type 1C and 2C an object must have, as far as the object itself tells (PS3.3)."""

from collections.abc import Callable
from typing import Final

from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.sop_classes import (
    COMPREHENSIVE_3D_SR,
    ENCAPSULATED_PDF,
    KEY_OBJECT_SELECTION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)

Text = Callable[[str], str]
"""Value of an attribute beside the conditional one, by keyword; empty when it is absent or has no value.

Of a value that is no text the function tells only that it is there.
"""
Condition = Callable[[Text], bool]


def _always(_: Text) -> bool:
    return True


_NAMED: Final = "TEXT NUM NUMERIC CODE DATETIME DATE TIME UIDREF PNAME CONTAINER"
VALUE_TYPES: Final[dict[str, frozenset[str]]] = {
    keyword: frozenset(types.split())
    for keyword, types in {
        "ConceptNameCodeSequence": _NAMED,
        "ConceptCodeSequence": "CODE",
        "ContinuityOfContent": "CONTAINER",
        "Date": "DATE",
        "DateTime": "DATETIME",
        "GraphicData": "SCOORD SCOORD3D",
        "GraphicType": "SCOORD SCOORD3D",
        "MeasuredValueSequence": "NUM",
        "MeasurementUnitsCodeSequence": "NUMERIC",
        "NumericValue": "NUMERIC",
        "NumericValueQualifierCodeSequence": "NUM",
        "PersonName": "PNAME",
        "ReferencedFrameOfReferenceUID": "SCOORD3D",
        "ReferencedSOPSequence": "IMAGE COMPOSITE WAVEFORM",
        "TabulatedValuesSequence": "TABLE",
        "TemporalRangeType": "TCOORD",
        "TextValue": "TEXT",
        "Time": "TIME",
        "UID": "UIDREF",
    }.items()
}
"""Value Types of the content items that have an attribute (PS3.3 10.2, C.17.3, C.18); the IODs list all together."""

_BELOW_THE_ROOT: Final[dict[str, Condition]] = {
    "CodeValue": lambda text: not text("LongCodeValue") and not text("URNCodeValue"),
    "CodingSchemeDesignator": lambda text: bool(text("CodeValue") or text("LongCodeValue")),
    "ContextGroupVersion": lambda text: bool(text("ContextIdentifier")),
    "MappingResource": lambda text: bool(text("ContextIdentifier")),
    "CodingSchemeUID": _always,
    # the frames of the node lie in space, are derived, and are indexed by dimensions
    "DerivationCodeSequence": _always,
    "DimensionIndexValues": _always,
    "FunctionalGroupPointer": _always,
    "ImageOrientationPatient": _always,
    "ImagePositionPatient": _always,
    "NumericValueQualifierCodeSequence": lambda text: not text("MeasuredValueSequence"),
    "PixelSpacing": _always,
    "SliceThickness": _always,
    "RealWorldValueFirstValueMapped": lambda text: not text("DoubleFloatRealWorldValueFirstValueMapped"),
    "RealWorldValueLastValueMapped": lambda text: not text("DoubleFloatRealWorldValueLastValueMapped"),
    "RealWorldValueIntercept": lambda text: not text("RealWorldValueLUTData"),
    "RealWorldValueSlope": lambda text: not text("RealWorldValueLUTData"),
    "SegmentAlgorithmName": lambda text: text("SegmentAlgorithmType") != "MANUAL",
    "TrackingID": lambda text: bool(text("TrackingUID")),
    "TrackingUID": lambda text: bool(text("TrackingID")),
    "WindowCenter": lambda text: not text("VOILUTSequence"),
    "WindowWidth": lambda text: bool(text("WindowCenter")),
}
# every object of the node is written in UTF-8
_EVERYWHERE: Final[dict[str, Condition]] = {"SpecificCharacterSet": _always}
_MULTI_FRAME: Final[dict[str, Condition]] = {
    **_EVERYWHERE,
    "DimensionIndexSequence": _always,
    "PerFrameFunctionalGroupsSequence": _always,
    "ReferencedSeriesSequence": _always,
    "LossyImageCompressionMethod": lambda text: bool(text("LossyImageCompressionRatio")),
    "LossyImageCompressionRatio": lambda text: bool(text("LossyImageCompressionMethod")),
}
_DOCUMENT: Final[dict[str, Condition]] = {
    **_EVERYWHERE,
    "ContentSequence": _always,
    "ContentTemplateSequence": _always,
    "CurrentRequestedProcedureEvidenceSequence": _always,
}
_AT_THE_ROOT: Final[dict[SopClassUID, dict[str, Condition]]] = {
    COMPREHENSIVE_3D_SR: _DOCUMENT,
    KEY_OBJECT_SELECTION: _DOCUMENT,
    PARAMETRIC_MAP: _MULTI_FRAME,
    SEGMENTATION: {**_MULTI_FRAME, "PixelData": _always},
    ENCAPSULATED_PDF: {**_EVERYWHERE, "SourceInstanceSequence": _always},
    SECONDARY_CAPTURE: {
        **_EVERYWHERE,
        "PatientOrientation": _always,
        "PixelData": _always,
        # the page is in colour
        "PlanarConfiguration": _always,
    },
}
SHARED: Final = "SharedFunctionalGroupsSequence"
PER_FRAME: Final = "PerFrameFunctionalGroupsSequence"
FRAME_ONLY: Final = frozenset({"FrameContentSequence"})
"""Functional groups that each frame has of its own (PS3.3 C.7.6.16.2.2)."""
GROUPS: Final[dict[SopClassUID, tuple[str, ...]]] = {
    SEGMENTATION: (
        "DerivationImageSequence",
        "FrameContentSequence",
        "PixelMeasuresSequence",
        "PlaneOrientationSequence",
        "PlanePositionSequence",
        "SegmentIdentificationSequence",
    ),
    PARAMETRIC_MAP: (
        "DerivationImageSequence",
        "FrameAnatomySequence",
        "FrameContentSequence",
        "FrameVOILUTSequence",
        "ParametricMapFrameTypeSequence",
        "PixelMeasuresSequence",
        "PixelValueTransformationSequence",
        "PlaneOrientationSequence",
        "PlanePositionSequence",
        "RealWorldValueMappingSequence",
    ),
}
"""Functional groups that each frame must have or share (PS3.3 tables A.51-2 and A.75-2)."""


def condition(keyword: str, sop_class: SopClassUID | None) -> Condition | None:
    """When an attribute of type 1C or 2C is demanded; None when the object cannot tell.

    Parameters
    ----------
    sop_class
        Of an attribute at the root; None below.
    """
    return (_BELOW_THE_ROOT if sop_class is None else _AT_THE_ROOT[sop_class]).get(keyword)
