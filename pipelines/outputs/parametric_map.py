"""Voxel-wise features as Parametric Maps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.valuerep import format_number_as_ds

from pipelines.domain.case import Findings
from pipelines.domain.coding import BODY_REGIONS, FEATURE_MAP_DERIVATION, KERNEL_RADIUS, MM, QUANTITY, VOXELS, Code
from pipelines.domain.feature_codes import LOG_SIGMA, describe
from pipelines.domain.features import FeatureMap
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.sop_classes import PARAMETRIC_MAP
from pipelines.outputs.multiframe import FrameSource, add_frames, pixel_element
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import Identity, clipped, coded, result_header, result_uid

KIND: Final = "map"
_FIRST_SERIES_NUMBER: Final = 9100
_FLOAT_PIXEL_DATA: Final = 0x7FE00008


@dataclass(frozen=True, slots=True)
class CaseMap:
    """One feature around the voxels of all lesions of a case.

    Attributes
    ----------
    kind
        Of its object: `map`, then `map-2` and so on for further features.
    parts
        The map of each lesion, those that are drawn over others last.
    """

    kind: str
    parts: tuple[FeatureMap, ...]

    @property
    def feature(self) -> str:
        return self.parts[0].feature

    @property
    def kernel_radius_voxels(self) -> int:
        return self.parts[0].kernel_radius_voxels


def map_objects(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """One Parametric Map for each feature, with all lesions on the whole grid of the CT (PS3.3 A.75).

    The frames are float32, uncompressed, one for each slice of the CT and ascending along its normal. Common viewers
    crash on integers, on a part of the slices and on compressed frames, and show descending frames upside down.
    """
    grid = findings.case.ct.grid
    for place, case_map in enumerate(case_maps(findings)):
        what = (KIND, case_map.feature, str(case_map.kernel_radius_voxels))
        identity = _identity(findings, case_map, what, _FIRST_SERIES_NUMBER + place)
        made = result_header(findings, producer, identity)
        _describe_image(made, case_map)
        sources = [FrameSource(index) for index in range(grid.shape[0])]
        add_frames(made, findings.case, sources, FEATURE_MAP_DERIVATION, result_uid(findings, *what, "dimensions"))
        _add_shared_groups(made, case_map)
        pixels = frames_of(findings, case_map).data.cast("B")
        yield result_object(identity, made, *pixel_element(_FLOAT_PIXEL_DATA, "OF", pixels))


def case_maps(findings: Findings) -> list[CaseMap]:
    """The maps of a case, one for each feature and neighbourhood in the order of the findings.

    Where lesions overlap, the smaller one is drawn over the larger, and of two of a size the one with the lower number.
    """
    size = {measured.lesion.number: measured.lesion.mask.count for measured in findings.lesions}
    by_feature: dict[tuple[str, int], list[FeatureMap]] = {}
    for part in findings.maps:
        by_feature.setdefault((part.feature, part.kernel_radius_voxels), []).append(part)
    return [
        CaseMap(
            KIND if place == 1 else f"{KIND}-{place}",
            tuple(sorted(parts, key=lambda part: (size[part.lesion_number], part.lesion_number), reverse=True)),
        )
        for place, parts in enumerate(by_feature.values(), start=1)
    ]


def frames_of(findings: Findings, case_map: CaseMap) -> NDArray[np.float32]:
    """The map as a whole volume of the CT's grid in little endian, 0 outside the lesions."""
    masks = {measured.lesion.number: measured.lesion.mask for measured in findings.lesions}
    frames = np.zeros(findings.case.ct.grid.shape, dtype="<f4")
    for part in case_map.parts:
        mask = masks[part.lesion_number]
        np.copyto(frames[mask.box], part.values, where=mask.voxels)
    return frames


def _identity(findings: Findings, case_map: CaseMap, what: tuple[str, ...], series_number: int) -> Identity:
    image_type = case_map.feature.partition("_")[0]
    of_image = "" if image_type == "original" else f" of {image_type}"
    return Identity(
        kind=case_map.kind,
        lesion_number=None,
        sop_class=PARAMETRIC_MAP,
        sop_instance=SopInstanceUID(result_uid(findings, *what, "instance")),
        series=SeriesUID(result_uid(findings, *what, "series")),
        series_number=series_number,
        modality="OT",
        description=f"AI: {describe(case_map.feature).concept.meaning}{of_image}",
    )


def _describe_image(made: Dataset, case_map: CaseMap) -> None:
    made.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated = 32
    made.PresentationLUTShape = "IDENTITY"
    made.PixelPresentation = "MONOCHROME"
    made.BurnedInAnnotation = "NO"
    made.RecognizableVisualFeatures = "NO"
    made.ContentQualification = "RESEARCH"
    made.ContentLabel = "FEATURE MAP"
    made.ContentDescription = clipped(case_map.feature)
    made.ContentCreatorName = ""
    made.AcquisitionContextSequence = []


def _add_shared_groups(made: Dataset, case_map: CaseMap) -> None:
    """What all frames of a map have in common (PS3.3 C.8.32.3)."""
    frame_type = Dataset()
    frame_type.FrameType = made.ImageType
    transformation = Dataset()
    transformation.RescaleIntercept = "0"
    transformation.RescaleSlope = "1"
    transformation.RescaleType = "US"
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [coded(BODY_REGIONS.get(made.BodyPartExamined.upper(), BODY_REGIONS["WHOLEBODY"]))]
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.ParametricMapFrameTypeSequence = [frame_type]
    shared.FrameAnatomySequence = [anatomy]
    shared.PixelValueTransformationSequence = [transformation]
    mapping = _real_world_values(case_map)
    shared.RealWorldValueMappingSequence = [mapping]
    shared.FrameVOILUTSequence = [_window(mapping)]


def _window(mapping: Dataset) -> Dataset:
    """A window over the whole range of the values, for viewers to begin with (PS3.3 C.7.6.16.2.10b)."""
    lowest = float(mapping.DoubleFloatRealWorldValueFirstValueMapped)
    highest = float(mapping.DoubleFloatRealWorldValueLastValueMapped)
    item = Dataset()
    item.WindowCenter = format_number_as_ds((lowest + highest) / 2)
    # a map of nothing but 0 has no range, and a window must have a width
    item.WindowWidth = format_number_as_ds(highest - lowest or 1.0)
    # the default function takes one off the width, which is too much for values around 1 (C.11.2.1.3.2)
    item.VOILUTFunction = "LINEAR_EXACT"
    return item


def _real_world_values(case_map: CaseMap) -> Dataset:
    feature = describe(case_map.feature)
    finite = [part.values[np.isfinite(part.values)] for part in case_map.parts]
    mapping = Dataset()
    # the range covers the 0 outside the lesions
    mapping.DoubleFloatRealWorldValueFirstValueMapped = min(float(values.min(initial=0.0)) for values in finite)
    mapping.DoubleFloatRealWorldValueLastValueMapped = max(float(values.max(initial=0.0)) for values in finite)
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = 1.0
    mapping.LUTExplanation = clipped(case_map.feature)
    mapping.LUTLabel = feature.concept.value
    mapping.MeasurementUnitsCodeSequence = [coded(feature.unit)]
    quantity = [_code_item(QUANTITY, feature.concept)]
    quantity += [_code_item(name, value) for name, value in feature.modifiers]
    if feature.log_sigma_mm is not None:
        quantity.append(_number_item(LOG_SIGMA, feature.log_sigma_mm, MM))
    quantity.append(_number_item(KERNEL_RADIUS, case_map.kernel_radius_voxels, VOXELS))
    mapping.QuantityDefinitionSequence = quantity
    return mapping


def _code_item(name: Code, value: Code) -> Dataset:
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence = [coded(name)]
    item.ConceptCodeSequence = [coded(value)]
    return item


def _number_item(name: Code, value: float, unit: Code) -> Dataset:
    item = Dataset()
    item.ValueType = "NUMERIC"
    item.ConceptNameCodeSequence = [coded(name)]
    item.NumericValue = format_number_as_ds(float(value))
    item.MeasurementUnitsCodeSequence = [coded(unit)]
    return item
