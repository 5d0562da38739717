"""The file meta information that makes a file of a data set."""

from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from node.adapters.incoming import part10, part10_head
from node.services.receive import Announced
from pipelines.domain.identifiers import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    SopClassUID,
    SopInstanceUID,
)
from tests.dicom import as_bytes, ct_series
from tests.node.client import dataset_of


def test_the_head_is_what_pydicom_writes() -> None:
    for instance in ("1.2.3", "1.2.34"):
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(instance)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_file_meta_info(buffer, meta)
        announced = Announced(SopClassUID(CTImageStorage), SopInstanceUID(instance))
        assert part10_head(announced, ExplicitVRLittleEndian) == bytes(128) + b"DICM" + buffer.getvalue()


def test_the_data_set_follows_as_it_came() -> None:
    image = ct_series(slices=1, rows=8, columns=8)[0]
    dataset = dataset_of(as_bytes(image))
    announced = Announced(SopClassUID(image.SOPClassUID), SopInstanceUID(image.SOPInstanceUID))
    made = part10(announced, image.file_meta.TransferSyntaxUID, dataset)
    assert made.endswith(dataset)
    assert dcmread(BytesIO(made)) == image
