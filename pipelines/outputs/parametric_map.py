"""Voxel-wise features as Parametric Maps."""

from collections import Counter
from collections.abc import Iterator
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
from pipelines.domain.volume import Grid
from pipelines.outputs.multiframe import FrameSource, add_frames, pixel_element
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import Identity, clipped, coded, result_header, result_uid

KIND: Final = "map"
_FIRST_SERIES_NUMBER: Final = 9100
_FLOAT_PIXEL_DATA: Final = 0x7FE00008


def map_objects(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """One Parametric Map for each feature map, on the whole grid of the CT (PS3.3 A.75).

    The frames are float32, uncompressed, one for each slice of the CT and ascending along its normal. Common viewers
    crash on integers, on a part of the slices and on compressed frames, and show descending frames upside down.
    """
    grid = findings.case.ct.grid
    for place, (kind, feature_map) in enumerate(named_maps(findings)):
        what = (KIND, str(feature_map.lesion_number), feature_map.feature, str(feature_map.kernel_radius_voxels))
        identity = _identity(findings, kind, feature_map, what, _FIRST_SERIES_NUMBER + place)
        made = result_header(findings, producer, identity)
        _describe_image(made, feature_map)
        sources = [FrameSource(index) for index in range(grid.shape[0])]
        add_frames(made, findings.case, sources, FEATURE_MAP_DERIVATION, result_uid(findings, *what, "dimensions"))
        _add_shared_groups(made, feature_map)
        pixels = frames_of(feature_map, grid).data.cast("B")
        yield result_object(identity, made, *pixel_element(_FLOAT_PIXEL_DATA, "OF", pixels))


def named_maps(findings: Findings) -> Iterator[tuple[str, FeatureMap]]:
    """Each map with the kind of its object: `map`, then `map-2` and so on for further maps of the same lesion."""
    seen: Counter[int] = Counter()
    for feature_map in findings.maps:
        seen[feature_map.lesion_number] += 1
        count = seen[feature_map.lesion_number]
        yield (KIND if count == 1 else f"{KIND}-{count}"), feature_map


def frames_of(feature_map: FeatureMap, grid: Grid) -> NDArray[np.float32]:
    """The map as a whole volume of `grid.shape` in little endian, 0 outside its box."""
    frames = np.zeros(grid.shape, dtype="<f4")
    box = tuple(slice(o, o + n) for o, n in zip(feature_map.offset, feature_map.values.shape, strict=True))
    frames[box] = feature_map.values
    return frames


def _identity(
    findings: Findings, kind: str, feature_map: FeatureMap, what: tuple[str, ...], series_number: int
) -> Identity:
    concept = describe(feature_map.feature).concept.meaning
    return Identity(
        kind=kind,
        lesion_number=feature_map.lesion_number,
        sop_class=PARAMETRIC_MAP,
        sop_instance=SopInstanceUID(result_uid(findings, *what, "instance")),
        series=SeriesUID(result_uid(findings, *what, "series")),
        series_number=series_number,
        modality="OT",
        description=f"AI: lesion {feature_map.lesion_number} {concept}",
    )


def _describe_image(made: Dataset, feature_map: FeatureMap) -> None:
    made.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated = 32
    made.PresentationLUTShape = "IDENTITY"
    made.PixelPresentation = "MONOCHROME"
    made.BurnedInAnnotation = "NO"
    made.RecognizableVisualFeatures = "NO"
    made.ContentQualification = "RESEARCH"
    made.ContentLabel = f"LESION {feature_map.lesion_number}"[:16]
    made.ContentDescription = clipped(feature_map.feature)
    made.ContentCreatorName = ""
    made.AcquisitionContextSequence = []


def _add_shared_groups(made: Dataset, feature_map: FeatureMap) -> None:
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
    shared.RealWorldValueMappingSequence = [_real_world_values(feature_map)]


def _real_world_values(feature_map: FeatureMap) -> Dataset:
    feature = describe(feature_map.feature)
    finite = feature_map.values[np.isfinite(feature_map.values)]
    mapping = Dataset()
    # the range covers the 0 outside the lesion
    mapping.DoubleFloatRealWorldValueFirstValueMapped = float(finite.min(initial=0.0))
    mapping.DoubleFloatRealWorldValueLastValueMapped = float(finite.max(initial=0.0))
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = 1.0
    mapping.LUTExplanation = clipped(feature_map.feature)
    mapping.LUTLabel = feature.concept.value
    mapping.MeasurementUnitsCodeSequence = [coded(feature.unit)]
    quantity = [_code_item(QUANTITY, feature.concept)]
    quantity += [_code_item(name, value) for name, value in feature.modifiers]
    if feature.log_sigma_mm is not None:
        quantity.append(_number_item(LOG_SIGMA, feature.log_sigma_mm, MM))
    quantity.append(_number_item(KERNEL_RADIUS, feature_map.kernel_radius_voxels, VOXELS))
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
