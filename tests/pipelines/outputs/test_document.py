from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings, SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.sop_classes import ENHANCED_CT_IMAGE
from pipelines.domain.volume import SliceRef
from pipelines.outputs.measurement_report import feature_report
from tests.pipelines.outputs import synthetic


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def item_called(dataset: Dataset, meaning: str) -> Dataset:
    items: list[Dataset] = list(dataset.ContentSequence)
    return next(item for item in items if item.ConceptNameCodeSequence[0].CodeMeaning == meaning)


def test_a_report_is_a_complete_unverified_oncology_measurement_report(objects: dict[str, ResultObject]) -> None:
    for kind in ("sr-features", "sr-case"):
        dataset = read(objects[kind])
        assert dataset.ConceptNameCodeSequence[0].CodeValue == "126001"
        assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert (dataset.CompletionFlag, dataset.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
        assert (
            item_called(dataset, "Language of Content Item and Descendants").ConceptCodeSequence[0].CodeValue == "en-US"
        )
        assert item_called(dataset, "Procedure reported").ConceptCodeSequence[0].CodeValue == "25045-6"
        assert synthetic.PRODUCER.device_uid == item_called(dataset, "Device Observer UID").UID
        assert item_called(dataset, "Device Observer Name").TextValue == "PULMONODE"


def items_below(dataset: Dataset) -> Iterator[Dataset]:
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items_below(item)


def test_text_reports_begin_with_their_measurements_and_hold_nothing_without_a_name(
    objects: dict[str, ResultObject],
) -> None:
    # OHIF shows nothing at all of a text report that holds an item without a name
    for kind in ("sr-features", "sr-case"):
        dataset = read(objects[kind])
        names = [item.ConceptNameCodeSequence[0].CodeMeaning for item in items_below(dataset)]
        assert "Image Library" not in names
        assert dataset.ContentSequence[-1].ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"


def test_the_evidence_names_every_image_of_the_ct(ct: list[Dataset], objects: dict[str, ResultObject]) -> None:
    (study,) = read(objects["sr-features"]).CurrentRequestedProcedureEvidenceSequence
    named = [image.ReferencedSOPInstanceUID for image in study.ReferencedSeriesSequence[0].ReferencedSOPSequence]
    assert named == [image.SOPInstanceUID for image in ct]


def test_a_segmentation_from_another_study_is_evidence_of_that_study(small: Findings) -> None:
    elsewhere = replace(small.case.segmentation, key=SeriesKey(StudyUID("1.2.3"), SeriesUID("1.2.4")))
    (made,) = feature_report(replace(small, case=replace(small.case, segmentation=elsewhere)), synthetic.PRODUCER)
    of_ct, of_segmentation = read(made).CurrentRequestedProcedureEvidenceSequence
    assert of_ct.StudyInstanceUID == small.case.ct_key.study
    assert of_segmentation.StudyInstanceUID == "1.2.3"
    assert of_segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.4"


def test_a_multi_frame_ct_is_one_image_of_the_evidence(small: Findings) -> None:
    frames = tuple(
        SliceRef(SopClassUID(ENHANCED_CT_IMAGE), SopInstanceUID("1.2.3"), frame=index + 1)
        for index in range(len(small.case.ct.slices))
    )
    case = replace(small.case, ct=replace(small.case.ct, slices=frames))
    (made,) = feature_report(replace(small, case=case), synthetic.PRODUCER)
    of_ct = read(made).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [image.ReferencedSOPInstanceUID for image in of_ct.ReferencedSOPSequence] == ["1.2.3"]
