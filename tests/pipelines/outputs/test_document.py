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


def test_the_image_library_says_once_what_all_images_have_in_common(
    ct: list[Dataset], objects: dict[str, ResultObject]
) -> None:
    library = item_called(read(objects["sr-features"]), "Image Library")
    (group,) = library.ContentSequence
    images = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
    assert [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in images] == [i.SOPInstanceUID for i in ct]
    assert all("ContentSequence" not in image for image in images)
    assert item_called(group, "Vertical Pixel Spacing").MeasuredValueSequence[0].FloatingPointValue == 0.7


def test_the_case_report_begins_with_its_measurements(objects: dict[str, ResultObject]) -> None:
    names = [item.ConceptNameCodeSequence[0].CodeMeaning for item in read(objects["sr-case"]).ContentSequence]
    assert "Image Library" not in names
    assert names[-1] == "Imaging Measurements"


def test_a_segmentation_from_another_study_is_evidence_of_that_study(small: Findings) -> None:
    elsewhere = replace(small.case.segmentation, key=SeriesKey(StudyUID("1.2.3"), SeriesUID("1.2.4")))
    (made,) = feature_report(replace(small, case=replace(small.case, segmentation=elsewhere)), synthetic.PRODUCER)
    of_ct, of_segmentation = read(made).CurrentRequestedProcedureEvidenceSequence
    assert of_ct.StudyInstanceUID == small.case.ct_key.study
    assert of_segmentation.StudyInstanceUID == "1.2.3"
    assert of_segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.4"


def test_a_multi_frame_ct_is_one_image_of_the_library(small: Findings) -> None:
    frames = tuple(
        SliceRef(SopClassUID(ENHANCED_CT_IMAGE), SopInstanceUID("1.2.3"), frame=index + 1)
        for index in range(len(small.case.ct.slices))
    )
    case = replace(small.case, ct=replace(small.case.ct, slices=frames))
    (made,) = feature_report(replace(small, case=case), synthetic.PRODUCER)
    (group,) = item_called(read(made), "Image Library").ContentSequence
    assert [item.ValueType for item in group.ContentSequence].count("IMAGE") == 1
