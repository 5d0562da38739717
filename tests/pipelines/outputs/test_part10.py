from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, derived_uid
from pipelines.domain.outcome import ResultObject
from pipelines.outputs.part10 import IMPLEMENTATION_CLASS_UID, result_object
from pipelines.outputs.provenance import Identity

IDENTITY = Identity("kind", None, SopClassUID("1.2"), SopInstanceUID("1.3"), SeriesUID("1.4"), 9000, "SR", "text")


def test_the_file_meta_information_is_complete(objects: dict[str, ResultObject]) -> None:
    for made in objects.values():
        meta = dcmread(BytesIO(made.data)).file_meta
        assert str(meta.MediaStorageSOPClassUID) == made.sop_class
        assert str(meta.MediaStorageSOPInstanceUID) == made.sop_instance
        assert meta.TransferSyntaxUID == made.transfer_syntax == "1.2.840.10008.1.2.1"
        assert meta.ImplementationVersionName == "PULMONODE"
        assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


def test_the_implementation_class_uid_is_the_derived_one() -> None:
    assert derived_uid("implementation class") == IMPLEMENTATION_CLASS_UID


def test_elements_that_do_not_follow_the_data_set_are_refused() -> None:
    dataset = Dataset()
    dataset.PatientID = "1"
    with pytest.raises(ValueError, match=r"\(0008,0005\)"):
        result_object(IDENTITY, dataset, b"\x08\x00\x05\x00CS\x00\x00")
