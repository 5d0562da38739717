"""Made-up cases that call for every object, attribute and code that the node can write."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR

from node.adapters.steps.datasets import cancellation_of, performed_of
from node.bootstrap.pipeline import load_pipeline
from node.ports import Performed
from node.settings import Settings
from pipelines.base import build_objects
from pipelines.domain.case import Case, Findings, Lesion, MeasuredLesion, Method, SegmentationRef, SeriesKey
from pipelines.domain.coding import BODY_REGIONS, Code
from pipelines.domain.feature_codes import CONCEPTS, TRANSFORMATIONS, can_be_mapped
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopInstanceUID, StudyUID, derived_uid
from pipelines.domain.inherited import INHERITED
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Contribution, ModelIdentity, Place, ScaledScore, Score, ScoreClass
from pipelines.domain.sop_classes import CT_IMAGE, ENHANCED_CT_IMAGE, RT_STRUCTURE_SET, SEGMENTATION
from pipelines.domain.volume import CtVolume, Grid, Mask, SliceRef
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE
from pipelines.extraction.names import feature_names, image_types
from pipelines.extraction.settings import PROFILES, load_profile
from pipelines.imaging.diameter import diameters
from pipelines.outputs.parametric_map import map_objects

_AXIAL: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_CORONAL: Final = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
_BY_VR: Final = {
    "AS": "060Y",
    "CS": "SAMPLE",
    "DA": "20260101",
    "DS": "1.5",
    "DT": "20260101120000",
    "FD": 1.5,
    "IS": "1",
    "PN": "SAMPLE^PATIENT",
    "TM": "120000",
    "US": 1,
}
FURTHER_IMAGES: Final = (
    "wavelet2-LL",
    "wavelet-LH",
    "wavelet-HL",
    "wavelet-HH",
    "lbp-3D-m1",
    "lbp-3D-k",
)
"""Images beyond those of the profiles that a parameter file can ask for, one for each code."""
_KIND: Final = Code("SAMPLE", "99SAMPLE", "a kind of lesion that a segmentation names")
_REASON: Final = Rejected("MODEL-005", "A sample.", "Nothing.")


def sample_objects(settings: Settings) -> Iterator[tuple[ResultObject, Dataset]]:
    """Every object that a node of `settings` makes of the sample cases, each as made and as read back.

    The cases are made up and nothing is measured, but the objects come from the builders and pass the self-check that
    those of patients do.

    Raises
    ------
    ConfigError
        If the pipeline cannot be set up.
    """
    # a page is a PDF or a picture, as a setting says; the node can make both
    both_pages = settings.page.model_copy(update={"format": "both"})
    pipeline = load_pipeline(settings.model_copy(update={"page": both_pages}))
    maps = replace(pipeline, outputs=(map_objects,) if "map" in settings.outputs.kinds else ())
    cases = [*((pipeline, one) for one in _cases()), *((maps, one) for one in _of_every_region())]
    for number, (builders, findings) in enumerate(cases):
        producer = Producer(
            settings.node.ae_title,
            derived_uid("sample", "device", str(number)),
            f"0.{number}",
            datetime(2026, 1, 1 + number, 12, number, tzinfo=UTC),
        )
        for made in build_objects(builders, findings, producer):
            if isinstance(made, Rejected):
                raise RuntimeError(f"a sample does not pass the self-check: {made}")
            yield made, dcmread(BytesIO(made.data))


def sample_tasks() -> Iterator[Dataset]:
    """What the node sets in a step that it performs, when it completes it and when it gives it up."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    yield performed_of(
        Performed("PULMONODE", at, at, "summary", "2.25.1", {"2.25.2": [(CT_IMAGE, "2.25.3")]}, ("PACS",))
    )
    yield cancellation_of("reason", at)


def _cases() -> Iterator[Findings]:
    full = _case("full", _full_header(), (6, 20, 24), _AXIAL)
    bare = _case("bare", Dataset(), (5, 18, 16), _CORONAL)
    positive = _score(ScoreClass.POSITIVE, demonstration=True)
    negative = _score(ScoreClass.NEGATIVE, demonstration=False)
    yield _findings(full, positive, _every_feature(), "original_glcm_JointEntropy")
    yield _findings(replace(bare, notes=(_REASON,)), negative, _every_feature(), "original_firstorder_Mean")
    usual = _case("usual", _full_header(), (6, 20, 24), _AXIAL)
    yield _findings(usual, replace(positive, warnings=()), ("original_glcm_Id",), "original_glcm_Id")
    drawn = SegmentationRef(full.segmentation.key, RT_STRUCTURE_SET, full.segmentation.sop_instance, referable=False)
    few = ("original_shape_MeshVolume", "original_firstorder_Energy")
    for case, image in ((full, "log-sigma-2-0-mm-3D"), (bare, "wavelet-LLH")):
        yield _findings(replace(case, segmentation=drawn), _REASON, few, f"{image}_firstorder_Variance")
    frames = tuple(SliceRef(ENHANCED_CT_IMAGE, SopInstanceUID("2.25.1"), frame=n) for n in range(1, 7))
    enhanced = replace(full, ct=replace(full.ct, slices=frames), segmentation=replace(drawn, sop_class=SEGMENTATION))
    made = _findings(enhanced, None, few, "original_firstorder_Energy")
    yield replace(made, lesions=(made.lesions[0], replace(made.lesions[1], features=_REASON, diameters=None)))


def _of_every_region() -> Iterator[Findings]:
    """What tells the body regions apart, which stand in maps alone."""
    bare = _case("region", Dataset(), (5, 18, 16), _CORONAL)
    for region in BODY_REGIONS:
        header = Dataset()
        header.BodyPartExamined = region
        case = replace(bare, header=_with_study(header, bare.ct_key.study))
        yield _findings(case, None, ("original_firstorder_Energy",), "original_firstorder_TotalEnergy")


def _case(name: str, header: Dataset, shape: tuple[int, int, int], direction: tuple[float, ...]) -> Case:
    grid = Grid(shape, (-float(shape[1]), -10.0, 5.0), (0.5 + shape[0] / 20, 0.6, 2.0 + shape[0] / 4), direction)
    slices = tuple(SliceRef(CT_IMAGE, SopInstanceUID(derived_uid("sample", name, str(n)))) for n in range(shape[0]))
    volume = CtVolume(
        np.zeros(shape, np.int16), grid, FrameOfReferenceUID(derived_uid("sample", name, "frame of reference")), slices
    )
    study = StudyUID(derived_uid("sample", name, "study"))
    return Case(
        ct=volume,
        ct_key=SeriesKey(study, SeriesUID(derived_uid("sample", name, "ct"))),
        header=_with_study(header, study),
        segmentation=SegmentationRef(
            SeriesKey(study, SeriesUID(derived_uid("sample", name, "seg series"))),
            SEGMENTATION,
            SopInstanceUID(derived_uid("sample", name, "seg")),
            referable=True,
        ),
        lesions=(_lesion(name, 1, (1, 2, 3), shape), _lesion(name, 2, (1, 8, 9), shape)),
        inputs_digest=derived_uid(name),
    )


def _with_study(header: Dataset, study: StudyUID) -> Dataset:
    made = Dataset()
    made.update(header)
    made.StudyInstanceUID = study
    return made


def _lesion(name: str, number: int, at: tuple[int, int, int], shape: tuple[int, int, int]) -> Lesion:
    volume = np.zeros(shape, np.bool_)
    volume[at[0] : at[0] + number + shape[0] - 4, at[1] : at[1] + 4, at[2] : at[2] + 3 + number] = True
    mask = Mask.of(volume)
    assert mask is not None
    uid = derived_uid("sample", name, "lesion", str(number))
    label = "" if number == 2 else f"{name} lesion"
    return Lesion(number, label, f"{name} {number}", uid, _KIND if number == 1 else None, mask)


def _full_header() -> Dataset:
    """A CT's header with every attribute that a result takes over."""
    made = Dataset()
    for keyword in INHERITED:
        vr = dictionary_VR(keyword)
        if vr == "SQ":
            setattr(made, keyword, [_item()])
        elif vr == "UI":
            setattr(made, keyword, derived_uid("sample", keyword))
        else:
            setattr(made, keyword, _BY_VR.get(vr, "sample"))
    made.TimezoneOffsetFromUTC = "+0800"
    made.BodyPartExamined = "ABDOMEN"
    made.PositionReferenceIndicator = "SN"
    made.LossyImageCompression = "01"
    made.LossyImageCompressionRatio = "10"
    made.LossyImageCompressionMethod = "ISO_10918_1"
    made.RequestAttributesSequence = [_item()]
    made.RequestAttributesSequence[0].RequestedProcedureID = "RP-1"
    return made


def _item() -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = "SAMPLE", "99SAMPLE", "a code of the CT"
    return made


def _every_feature() -> tuple[str, ...]:
    """Every feature of the original image, one of each filtered image, and all of IBSI's."""
    packaged = {image for settings in PROFILES.values() if settings.ibsi is None for image in image_types(settings)}
    others = {kind for kind in TRANSFORMATIONS if kind not in ("log", "wavelet", "lbp-3D")}
    filtered = sorted((packaged | others | set(FURTHER_IMAGES)) - {"original"})
    return (
        *(f"original_{key}" for key in CONCEPTS),
        *(f"{image}_firstorder_Mean" for image in filtered),
        *feature_names(load_profile("ibsi", ibsi_filters=tuple(CATALOGUE))),
    )


def _findings(case: Case, score: Score | Rejected | None, names: tuple[str, ...], mapped: str) -> Findings:
    values = np.linspace(-1.0, 2.0, len(names))
    if len(names) > 3:
        values[-3:] = np.nan, np.inf, -np.inf
    vector = FeatureVector(names, values)
    grid = case.ct.grid
    lesions = tuple(MeasuredLesion(one, vector, diameters(one.mask, grid)) for one in case.lesions)
    mask = case.lesions[0].mask
    texture = np.where(mask.voxels, np.float32(len(names) * 0.3), np.float32(0))
    if len(names) < 3:
        texture = -texture
    return Findings(
        case=case,
        lesions=lesions,
        score=score,
        maps=tuple(
            FeatureMap(name, 1, 1, mask.offset, texture)
            for name in dict.fromkeys((mapped, names[-1]))
            if can_be_mapped(name)
        ),
        method=Method(
            pipeline="sample",
            pipeline_version=str(len(names)),
            profile="sample",
            settings_digest="00" * 32,
            settings=(("setting", "value"),),
            software=(("library", str(len(names))),),
        ),
    )


def _score(outcome: ScoreClass, *, demonstration: bool) -> Score:
    return Score(
        model=ModelIdentity(f"model of {outcome}", outcome, "00" * 32, "licence", "intended use", demonstration),
        signature=1.0,
        probability=0.7 if outcome is ScoreClass.POSITIVE else 0.2,
        cut_off=0.5,
        cut_off_rule="rule",
        outcome=outcome,
        outcome_label=f"meaning of {outcome}",
        lesion_number=1,
        contributions=(Contribution("original_glcm_Id", value=1.0, standardised=0.5, term=0.1),),
        place=Place(40.0, 90.0, 30, 30, -3.0, 3.0) if outcome is ScoreClass.POSITIVE else None,
        scaled=ScaledScore("scale", 2.0),
        warnings=(Rejected("MODEL-013", "sample", "sample"),) if demonstration else (),
    )
